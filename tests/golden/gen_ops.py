"""ops.h5: the plain ops (issue 2), values, gradients and running statistics from PyTorch in float64."""

import random
import sys

import torch
import torch.nn.functional as F

from golden_format import GoldenFile, Made

rng = random.Random(20)
g = GoldenFile("gen_ops.py")
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
LONGEST = {1: 14, 2: 7, 3: 5}


def away_from(value, gap=1e-3):
    return lambda t: (t["x"] - value).abs().min().item() > gap


def no_ties(t):
    flat = t["x"].reshape(-1).sort().values
    return (flat[1:] - flat[:-1]).min().item() > 1e-6


def per_axis(rank, values):
    """One number for all axes, or one each."""
    return [rng.choice(values)] * rank if rng.random() < 0.4 else [rng.choice(values) for _ in range(rank)]


def convolutions():
    for rank in (1, 2, 3):
        for number in range(13):
            kernel = per_axis(rank, [1, 2, 3] if rank == 3 else [1, 2, 3, 4, 5])
            stride = per_axis(rank, [1, 2, 3] if number % 2 else [1])
            padding = per_axis(rank, [0, 1, 2])
            dilation = per_axis(rank, [1, 2] if number % 3 == 0 else [1])
            groups = rng.choice([1, 1, 2, 3])
            per_group, out_group = rng.choice([1, 2]), rng.choice([1, 2])
            least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation)]
            sizes = [rng.randint(low, max(low + 1, LONGEST[rank])) for low in least]
            bias = number % 2 == 0
            inputs = {
                "x": Made(rng.choice([1, 2, 3]), groups * per_group, *sizes),
                "weight": Made(groups * out_group, per_group, *kernel, scale=0.5),
            }
            if bias:
                inputs["bias"] = Made(groups * out_group)
            options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
            g.run(
                f"conv{rank}d {number}",
                f"conv{rank}d",
                options,
                inputs,
                lambda x, weight, bias=None: CONV[rank](x, weight, bias, **options),
            )


def linears():
    for shape, fan_in, fan_out, bias in [
        ((), 5, 3, True),
        ((4,), 5, 3, True),
        ((1,), 1, 1, True),
        ((4,), 7, 2, False),
        ((2, 3), 4, 6, True),
        ((2, 3), 4, 6, False),
        ((2, 1, 3), 5, 2, True),
        ((3, 2, 2), 2, 5, False),
        ((9,), 16, 8, True),
    ]:
        inputs = {"x": Made(*shape, fan_in), "weight": Made(fan_out, fan_in)}
        if bias:
            inputs["bias"] = Made(fan_out)
        g.run(
            f"linear {(*shape, fan_in)} to {fan_out} bias {bias}",
            "linear",
            {},
            inputs,
            lambda x, weight, bias=None: F.linear(x, weight, bias),
        )


def norm_inputs(shape, affine, running):
    inputs = {"x": Made(*shape, scale=1.5, shift=0.3)}
    if affine:
        inputs["weight"] = Made(shape[1], scale=0.5, shift=1.0)
        inputs["bias"] = Made(shape[1])
    if running:
        inputs["running_mean"] = Made(shape[1], grad=False)
        inputs["running_var"] = Made(shape[1], scale=0.5, shift=1.0, grad=False)
    return inputs


def run_norm(name, op, shape, options, affine, running):
    def function(x, weight=None, bias=None, running_mean=None, running_var=None):
        mean = None if running_mean is None else running_mean.clone()
        var = None if running_var is None else running_var.clone()
        if op.startswith("batch"):
            y = F.batch_norm(
                x, mean, var, weight, bias, options["training"], options["momentum"], options["eps"]
            )
        else:
            y = F.instance_norm(
                x, mean, var, weight, bias, options["use_input_stats"], options["momentum"], options["eps"]
            )
        out = {"y": y}
        if mean is not None:
            out.update(running_mean_after=mean, running_var_after=var)
        return out

    g.run(name, op, options, norm_inputs(shape, affine, running), function)


def norms():
    shapes = {
        1: [(4, 3, 5), (2, 1, 7), (6, 4)],
        2: [(3, 2, 3, 4), (2, 3, 5, 1)],
        3: [(2, 2, 2, 3, 3), (1, 3, 3, 2, 2)],
    }
    for rank, choices in shapes.items():
        for shape in choices:
            for training, affine, running, momentum, eps in [
                (True, True, True, 0.1, 1e-5),
                (True, False, True, 0.3, 1e-5),
                (True, True, False, 0.1, 1e-3),
                (False, True, True, 0.1, 1e-5),
                (False, False, True, 0.1, 1e-2),
            ]:
                run_norm(
                    f"batch_norm{rank}d {shape} training {training} affine {affine} running {running} momentum {momentum}",
                    f"batch_norm{rank}d",
                    shape,
                    dict(training=training, momentum=momentum, eps=eps),
                    affine,
                    running,
                )
            if len(shape) == 2:
                continue
            for stats, affine, running, momentum, eps in [
                (True, True, False, 0.1, 1e-5),
                (True, False, False, 0.1, 1e-5),
                (True, True, True, 0.25, 1e-5),
                (False, True, True, 0.1, 1e-5),
                (True, False, True, 0.1, 1e-2),
            ]:
                run_norm(
                    f"instance_norm{rank}d {shape} stats {stats} affine {affine} running {running}",
                    f"instance_norm{rank}d",
                    shape,
                    dict(use_input_stats=stats, momentum=momentum, eps=eps),
                    affine,
                    running,
                )
    for shape, axes, affine, bias, eps in [
        ((4, 6), 1, True, True, 1e-5),
        ((4, 6), 1, False, False, 1e-5),
        ((2, 3, 5), 1, True, False, 1e-5),
        ((2, 3, 5), 2, True, True, 1e-3),
        ((7,), 1, True, True, 1e-5),
        ((2, 2, 3, 2), 3, True, True, 1e-5),
    ]:
        normalized = list(shape[-axes:])
        inputs = {"x": Made(*shape, scale=1.5, shift=0.3)}
        if affine:
            inputs["weight"] = Made(*normalized, scale=0.5, shift=1.0)
        if bias:
            inputs["bias"] = Made(*normalized)
        g.run(
            f"layer_norm {shape} over {normalized} affine {affine} bias {bias} eps {eps}",
            "layer_norm",
            dict(normalized_shape=normalized, eps=eps),
            inputs,
            lambda x, weight=None, bias=None: F.layer_norm(x, normalized, weight, bias, eps),
        )


def elementwise():
    for shape in [(5,), (2, 3, 4), (2, 2, 3, 3)]:
        wide = dict(scale=4.0)
        for op, function, make, check in [
            ("relu", F.relu, wide, away_from(0)),
            ("silu", F.silu, wide, None),
            ("sigmoid", torch.sigmoid, wide, None),
            ("tanh", torch.tanh, wide, None),
            ("exp", torch.exp, wide, None),
            ("abs", torch.abs, wide, away_from(0)),
            ("log", torch.log, dict(scale=2.0, shift=2.2), away_from(1.0, 0.02)),
            ("sqrt", torch.sqrt, dict(scale=2.0, shift=2.2), None),
        ]:
            g.run(f"{op} {shape}", op, {}, {"x": Made(*shape, **make)}, lambda x: function(x), check=check)
        for approximate in ("none", "tanh"):
            g.run(
                f"gelu {approximate} {shape}",
                "gelu",
                dict(approximate=approximate),
                {"x": Made(*shape, scale=4.0)},
                lambda x: F.gelu(x, approximate=approximate),
            )
    for exponent, scale, shift in [
        (2.0, 2.0, 0.0),
        (3.0, 2.0, 0.0),
        (0.5, 1.0, 1.3),
        (-1.0, 1.0, 1.5),
        (1.7, 1.0, 1.2),
        (-2.5, 1.0, 2.0),
    ]:
        g.run(
            f"pow {exponent}",
            "pow",
            dict(exponent=exponent),
            {"x": Made(3, 4, scale=scale, shift=shift)},
            lambda x: torch.pow(x, exponent),
        )
    for shape, slopes in [
        ((3, 4), 1),
        ((3, 4), 4),
        ((2, 3, 5), 3),
        ((2, 3, 2, 3), 3),
        ((2, 2, 2, 2, 2), 2),
        ((2, 3, 5), 1),
    ]:
        g.run(
            f"prelu {shape} with {slopes} slopes",
            "prelu",
            {},
            {"x": Made(*shape, scale=2.0), "weight": Made(slopes, scale=0.2, shift=0.25)},
            lambda x, weight: F.prelu(x, weight),
            check=away_from(0),
        )
    for op, function in [("softmax", F.softmax), ("log_softmax", F.log_softmax)]:
        for shape in [(6,), (3, 4), (2, 3, 4), (2, 3, 2, 3)]:
            for axis in range(len(shape)):
                g.run(
                    f"{op} {shape} axis {axis}",
                    op,
                    dict(dim=axis),
                    {"x": Made(*shape, scale=3.0)},
                    lambda x: function(x, dim=axis),
                )


def pools():
    for rank in (1, 2, 3):
        for number in range(10):
            ceil = number % 2 == 1
            kernel = per_axis(rank, [2, 3] if rank == 3 else [2, 3, 4])
            stride = per_axis(rank, [1, 2, 3])
            padding = [rng.choice([0, k // 2]) if number > 2 else 0 for k in kernel]
            sizes = [rng.randint(5, LONGEST[rank] + 1) for _ in range(rank)]
            shape = (rng.choice([1, 2]), rng.choice([1, 2]), *sizes)
            dilation = per_axis(rank, [1, 2]) if number % 3 == 2 else [1] * rank
            if any(n + 2 * p < d * (k - 1) + 1 for n, p, d, k in zip(sizes, padding, dilation, kernel)):
                dilation = [1] * rank
            options = dict(
                kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil
            )
            g.run(
                f"max_pool{rank}d {number}",
                f"max_pool{rank}d",
                options,
                {"x": Made(*shape)},
                lambda x: MAX_POOL[rank](x, **options),
                check=no_ties,
            )
            options = dict(
                kernel_size=kernel,
                stride=stride,
                padding=padding,
                ceil_mode=ceil,
                count_include_pad=number % 4 < 2,
            )
            g.run(
                f"avg_pool{rank}d {number}",
                f"avg_pool{rank}d",
                options,
                {"x": Made(*shape)},
                lambda x: AVG_POOL[rank](x, **options),
            )
        for number in range(5):
            sizes = [rng.randint(3, LONGEST[rank] + 1) for _ in range(rank)]
            output = [1] * rank if number == 0 else [rng.randint(1, n + (number == 4)) for n in sizes]
            g.run(
                f"adaptive_avg_pool{rank}d {sizes} to {output}",
                f"adaptive_avg_pool{rank}d",
                dict(output_size=output),
                {"x": Made(2, 2, *sizes)},
                lambda x: ADAPTIVE[rank](x, output),
            )


def losses():
    for reduction in ("none", "mean", "sum"):
        for shape, smoothing, weighted, ignore in [
            ((5, 4), 0.0, False, None),
            ((5, 4), 0.1, False, None),
            ((5, 4), 0.0, True, None),
            ((6, 3), 0.0, False, 1),
            ((6, 3), 0.2, True, -100),
            ((2, 3, 4), 0.0, False, None),
            ((2, 3, 4), 0.1, True, 2),
            ((2, 4, 2, 2), 0.1, False, -100),
        ]:
            classes = shape[1]
            target = torch.tensor(
                [rng.randrange(classes) for _ in range(shape[0] * torch.Size(shape[2:]).numel())]
            )
            if ignore is not None:
                target[1] = ignore
                target[2] = 0 if ignore != 0 else 1
            target = target.reshape(shape[0], *shape[2:])
            options = dict(
                reduction=reduction,
                label_smoothing=smoothing,
                ignore_index=-100 if ignore is None else ignore,
            )
            inputs = {"x": Made(*shape, scale=3.0)}
            if weighted:
                inputs["weight"] = Made(classes, scale=0.5, shift=1.0, grad=False)
            g.run(
                f"cross_entropy {shape} {reduction} smoothing {smoothing} weighted {weighted} ignore {ignore}",
                "cross_entropy",
                options,
                inputs,
                lambda x, target, weight=None: F.cross_entropy(x, target, weight, **options),
                ints={"target": target},
            )
        for shape in [(7,), (3, 2, 2)]:
            pair = {"x": Made(*shape, scale=3.0), "target": Made(*shape, grad=False)}

            def apart(values, distance=0.0):
                return ((values["x"] - values["target"]).abs() - distance).abs().min().item() > 1e-3

            g.run(
                f"mse_loss {shape} {reduction}",
                "mse_loss",
                dict(reduction=reduction),
                pair,
                lambda x, target: F.mse_loss(x, target, reduction=reduction),
            )
            g.run(
                f"l1_loss {shape} {reduction}",
                "l1_loss",
                dict(reduction=reduction),
                pair,
                lambda x, target: F.l1_loss(x, target, reduction=reduction),
                check=apart,
            )
            for delta in (1.0, 0.6):
                g.run(
                    f"huber_loss {shape} {reduction} delta {delta}",
                    "huber_loss",
                    dict(reduction=reduction, delta=delta),
                    pair,
                    lambda x, target: F.huber_loss(x, target, reduction=reduction, delta=delta),
                    check=lambda t: apart(t, delta),
                )
            chances = {"x": Made(*shape, scale=3.0), "target": Made(*shape, scale=0.5, shift=0.5, grad=False)}
            g.run(
                f"bce_with_logits {shape} {reduction}",
                "bce_with_logits",
                dict(reduction=reduction),
                chances,
                lambda x, target: F.binary_cross_entropy_with_logits(x, target, reduction=reduction),
            )
            chances["pos_weight"] = Made(shape[-1], scale=0.5, shift=1.5, grad=False)
            g.run(
                f"bce_with_logits {shape} {reduction} pos_weight",
                "bce_with_logits",
                dict(reduction=reduction),
                chances,
                lambda x, target, pos_weight: F.binary_cross_entropy_with_logits(
                    x, target, pos_weight=pos_weight, reduction=reduction
                ),
            )


def arithmetic():
    shapes = [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((4, 1), (1, 3)),
        ((2, 1, 3), (4, 1)),
        ((), (2, 2)),
        ((3, 1, 1), (2, 3, 2, 2)),
        ((1,), (5,)),
    ]
    for op, function in [("add", torch.add), ("sub", torch.sub), ("mul", torch.mul), ("div", torch.div)]:
        for left, right in shapes:
            shift = 1.6 if op == "div" else 0.0
            g.run(
                f"{op} {left} {right}",
                op,
                {},
                {"a": Made(*left), "b": Made(*right, shift=shift)},
                lambda a, b: function(a, b),
            )
    for left, right in [
        ((3, 4), (4, 2)),
        ((1, 5), (5, 1)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 3, 4), (4, 2)),
        ((3, 4), (2, 4, 2)),
        ((2, 1, 3, 2), (3, 2, 4)),
        ((1, 2, 3), (4, 3, 2)),
        ((7, 9), (9, 8)),
    ]:
        g.run(
            f"matmul {left} {right}",
            "matmul",
            {},
            {"a": Made(*left), "b": Made(*right)},
            lambda a, b: torch.matmul(a, b),
        )


def reductions():
    for shape, axes in [
        ((5,), [0]),
        ((3, 4), [0]),
        ((3, 4), [1]),
        ((3, 4), [0, 1]),
        ((2, 3, 4), [0, 2]),
        ((2, 3, 2, 3), [2, 3]),
        ((2, 3, 2), [1]),
    ]:
        for keepdim in (False, True):
            options = dict(dim=axes, keepdim=keepdim)
            for op, function in [("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)]:
                g.run(
                    f"{op} {shape} over {axes} keepdim {keepdim}",
                    op,
                    options,
                    {"x": Made(*shape, shift=0.3)},
                    lambda x: function(x, dim=axes, keepdim=keepdim),
                    check=no_ties,
                )
        for correction in (0, 1):
            options = dict(dim=axes, keepdim=correction == 0, correction=correction)
            g.run(
                f"var {shape} over {axes} correction {correction}",
                "var",
                options,
                {"x": Made(*shape)},
                lambda x: torch.var(x, **options),
            )


def rearrangements():
    for shapes, axis in [
        ([(2, 3), (2, 3)], 0),
        ([(2, 3), (2, 1)], 1),
        ([(2, 1, 2), (2, 3, 2), (2, 2, 2)], 1),
        ([(1, 2, 2), (2, 2, 2)], 0),
        ([(3,), (2,)], 0),
    ]:
        inputs = {f"x{i}": Made(*shape) for i, shape in enumerate(shapes)}
        g.run(
            f"cat {shapes} axis {axis}",
            "cat",
            dict(dim=axis),
            inputs,
            lambda **t: torch.cat(list(t.values()), dim=axis),
        )
    for shape, axis, start, stop, step in [
        ((6,), 0, 1, 4, 1),
        ((3, 5), 1, 0, 2, 1),
        ((3, 5), 0, 1, 3, 1),
        ((2, 4, 3), 1, 2, 4, 1),
        ((2, 3, 4, 2), 2, 1, 3, 1),
        ((2, 7), 1, 1, 7, 2),
        ((7, 2), 0, 0, 7, 3),
    ]:
        index = tuple([slice(None)] * axis + [slice(start, stop, step)])
        g.run(
            f"slice {shape} axis {axis} {start}:{stop}:{step}",
            "slice",
            dict(dim=axis, start=start, stop=stop, step=step),
            {"x": Made(*shape)},
            lambda x: x[index],
        )
    for shape, to in [((2, 6), (3, 4)), ((2, 3, 4), (6, -1)), ((4,), (2, 1, 2)), ((2, 3), (6,)), ((1,), ())]:
        g.run(
            f"reshape {shape} to {to}",
            "reshape",
            dict(shape=list(to)),
            {"x": Made(*shape)},
            lambda x: x.reshape(to),
        )
    for shape, order in [
        ((2, 3), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), (0, 2, 1)),
        ((2, 1, 3, 2), (3, 1, 0, 2)),
        ((2, 2, 3, 1, 2), (4, 2, 0, 1, 3)),
    ]:
        g.run(
            f"permute {shape} by {order}",
            "permute",
            dict(dims=list(order)),
            {"x": Made(*shape)},
            lambda x: x.permute(order),
        )
    for shape, start, end in [
        ((2, 3, 4), 1, -1),
        ((2, 3, 4), 0, -1),
        ((2, 3, 2, 2), 1, 2),
        ((2, 3, 2, 2), 2, 3),
        ((5,), 0, -1),
    ]:
        g.run(
            f"flatten {shape} {start} to {end}",
            "flatten",
            dict(start_dim=start, end_dim=end),
            {"x": Made(*shape)},
            lambda x: x.flatten(start, end),
        )


for part in (
    convolutions,
    linears,
    norms,
    elementwise,
    pools,
    losses,
    arithmetic,
    reductions,
    rearrangements,
):
    part()
g.write(sys.argv[1] if len(sys.argv) > 1 else "ops.h5")
