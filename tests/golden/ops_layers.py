"""The cases of gen_ops.py that layers and losses are made of."""

import torch
import torch.nn.functional as F

from golden_format import Made
from ops_common import g, no_ties, per_axis, rng

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
LONGEST = {1: 14, 2: 7, 3: 5}


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
    for shape, axes, affine, eps in [
        ((4, 6), 1, True, None),
        ((4, 6), 1, False, 1e-5),
        ((2, 3, 5), 1, True, 1e-3),
        ((2, 3, 5), 2, True, 1e-5),
        ((7,), 1, True, None),
        ((2, 2, 3, 2), 3, False, None),
    ]:
        normalized = list(shape[-axes:])
        inputs = {"x": Made(*shape, scale=1.5, shift=0.3)}
        if affine:
            inputs["weight"] = Made(*normalized, scale=0.5, shift=1.0)
        g.run(
            f"rms_norm {shape} over {normalized} affine {affine} eps {eps}",
            "rms_norm",
            dict(normalized_shape=normalized, eps=eps),
            inputs,
            lambda x, weight=None: F.rms_norm(x, normalized, weight, eps),
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
