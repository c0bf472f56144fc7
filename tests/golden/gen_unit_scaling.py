"""unit_scaling.h5: the published unit-scaling package where it is right: functions, modules, mu-P optimisers."""

import importlib.metadata
import sys

import torch
import unit_scaling as uu
import unit_scaling.functional as U
from torch.func import functional_call
from unit_scaling import constraints, optim, scale

from golden_format import GoldenFile, Made, made

g = GoldenFile(
    "gen_unit_scaling.py",
    unit_scaling=importlib.metadata.version("unit-scaling"),
    gradient="grad of param i at step t (from 0) = a*p + b*tanh(p) + noise*made(shape, noise_seed + 1000*i + t)",
)
UNARY = (None, "gmean", "hmean", "amean", "to_output_scale", "to_grad_input_scale")
BINARY = (None, "gmean", "hmean", "amean", "to_output_scale", "to_left_grad_scale", "to_right_grad_scale")
UNIT = dict(scale=1.7)  # uniform numbers of about unit deviation


def exact_rms(x, dims=None, keepdim=False, eps=0.0):
    """The package's own goes through float32."""
    return (x.pow(2).mean(dims, keepdim=keepdim) + eps).sqrt()


U.rms = exact_rms


def named(constraint):
    return constraint or "none"


def primitives():
    for factor in (0.25, 3.0):
        for op, function in [("scale_fwd", scale.scale_fwd), ("scale_bwd", scale.scale_bwd)]:
            g.run(f"{op} {factor}", op, dict(scale=factor), {"x": Made(2, 3)}, lambda x: function(x, factor))
    for names, scales in [
        (UNARY, [0.5, 2.0]),
        (UNARY, [0.125, 0.3]),
        (BINARY, [0.5, 2.0, 0.7]),
        (BINARY, [3.0, 0.1, 1.5]),
    ]:
        for name in names:
            entry = g.case(
                f"constraint {named(name)} {scales}",
                "constraint",
                dict(constraint=named(name), scales=scales),
            )
            g.store(entry, "y", torch.tensor(constraints.apply_constraint(name, *scales)))


def linears():
    for op, function in [("linear", U.linear), ("linear_readout", U.linear_readout)]:
        for shape, fan_in, fan_out, bias in [
            ((6,), 5, 3, True),
            ((2, 4), 8, 2, False),
            ((3,), 2, 9, True),
            ((), 4, 6, True),
        ]:
            for constraint in UNARY:
                inputs = {"x": Made(*shape, fan_in, **UNIT), "weight": Made(fan_out, fan_in, **UNIT)}
                if bias:
                    inputs["bias"] = Made(fan_out)
                g.run(
                    f"{op} {(*shape, fan_in)} to {fan_out} {named(constraint)}",
                    op,
                    dict(constraint=named(constraint)),
                    inputs,
                    lambda x, weight, bias=None: function(x, weight, bias, constraint=constraint),
                )


def convolutions():
    for number, (shape, out, kernel, stride, padding, dilation, groups, bias) in enumerate(
        [
            ((2, 3, 9), 4, 3, 1, 0, 1, 1, True),
            ((2, 3, 9), 5, 3, 2, 1, 1, 1, False),
            ((1, 4, 12), 6, 4, 3, 2, 1, 2, True),
            ((3, 2, 11), 2, 3, 1, 1, 2, 2, True),
            ((2, 3, 7), 3, 3, 1, 1, 1, 3, False),
            ((4, 10), 3, 5, 2, 0, 1, 1, True),
            ((2, 2, 5), 7, 1, 1, 0, 1, 1, True),
        ]
    ):
        for constraint in UNARY:
            inputs = {"x": Made(*shape, **UNIT), "weight": Made(out, shape[-2] // groups, kernel, **UNIT)}
            if bias:
                inputs["bias"] = Made(out)
            options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
            g.run(
                f"conv1d {number} {named(constraint)}",
                "conv1d",
                {
                    **{k: [v] if k != "groups" else v for k, v in options.items()},
                    "constraint": named(constraint),
                },
                inputs,
                lambda x, weight, bias=None: U.conv1d(x, weight, bias, **options, constraint=constraint),
            )


def norms():
    for shape, axes in [((6, 4), 1), ((2, 3, 5), 1), ((2, 3, 5), 2)]:
        normalized = shape[-axes:]
        for parts in ("", "weight", "weight and bias"):
            inputs = {"x": Made(*shape, **UNIT)}
            if parts:
                inputs["weight"] = Made(*normalized, scale=0.5, shift=1.0)
            if "bias" in parts:
                inputs["bias"] = Made(*normalized)
            options = dict(normalized_shape=list(normalized), eps=1e-5)
            g.run(
                f"layer_norm {shape} over {normalized} {parts}",
                "layer_norm",
                options,
                inputs,
                lambda x, weight=None, bias=None: U.layer_norm(x, normalized, weight, bias),
            )
            if "bias" not in parts:
                g.run(
                    f"rms_norm {shape} over {normalized} {parts}",
                    "rms_norm",
                    options,
                    inputs,
                    lambda x, weight=None: U.rms_norm(x, normalized, weight),
                )


def elementwise():
    for constraint in UNARY:
        for mult in (1.0, 0.5, 2.0):
            options = dict(mult=mult, constraint=named(constraint))
            label = f"mult {mult} {named(constraint)}"
            for approximate in ("none", "tanh"):
                g.run(
                    f"gelu {approximate} {label}",
                    "gelu",
                    dict(options, approximate=approximate),
                    {"x": Made(3, 5, scale=3.0)},
                    lambda x: U.gelu(x, mult=mult, constraint=constraint, approximate=approximate),
                )
            g.run(
                f"silu {label}",
                "silu",
                options,
                {"x": Made(3, 5, scale=3.0)},
                lambda x: U.silu(x, mult=mult, constraint=constraint),
            )
            for shape, axis in [((2, 4, 3), 1), ((3, 8), 1), ((5, 2), 0)]:
                g.run(
                    f"softmax {shape} axis {axis} {label}",
                    "softmax",
                    dict(options, dim=axis),
                    {"x": Made(*shape, **UNIT)},
                    lambda x: U.softmax(x, dim=axis, mult=mult, constraint=constraint),
                )
    for mult in (1.0, 0.5, 2.0):
        g.run(
            f"silu_glu mult {mult}",
            "silu_glu",
            dict(mult=mult),
            {"x": Made(3, 4, **UNIT), "gate": Made(3, 4, scale=3.0)},
            lambda x, gate: U.silu_glu(x, gate, mult=mult),
        )
    for p, training in [(0.0, True), (0.0, False), (0.3, False), (0.75, False)]:
        g.run(
            f"dropout {p} training {training}",
            "dropout",
            dict(p=p, training=training),
            {"x": Made(2, 5, **UNIT)},
            lambda x: U.dropout(x, p, training),
        )


def binary():
    for left, right in [
        ((3, 4), (4, 5)),
        ((2, 3, 6), (2, 6, 2)),
        ((2, 1, 3, 2), (4, 2, 3)),
        ((2, 3, 4), (4, 2)),
    ]:
        for constraint in BINARY:
            g.run(
                f"matmul {left} {right} {named(constraint)}",
                "matmul",
                dict(constraint=named(constraint)),
                {"a": Made(*left, **UNIT), "b": Made(*right, **UNIT)},
                lambda a, b: U.matmul(a, b, constraint=constraint),
            )
    for left, right in [((3, 4), (3, 4)), ((2, 3, 4), (4,)), ((4, 1), (1, 5)), ((3, 2), (1,)), ((), (2, 3))]:
        for constraint in BINARY:
            g.run(
                f"add {left} {right} {named(constraint)}",
                "add",
                dict(constraint=named(constraint)),
                {"a": Made(*left, **UNIT), "b": Made(*right, **UNIT)},
                lambda a, b: U.add(a, b, constraint=constraint),
            )
    g.run("add a number", "add_number", dict(number=1.5), {"x": Made(2, 3)}, lambda x: U.add(x, 1.5))


def residuals():
    for tau in (1.0, 0.5, 3.0):
        options = dict(tau=tau)
        g.run(
            f"residual_split {tau}",
            "residual_split",
            options,
            {"x": Made(2, 4, **UNIT)},
            lambda x: dict(zip(("y0", "y1"), U.residual_split(x, tau=tau))),
        )
        g.run(
            f"residual_add {tau}",
            "residual_add",
            options,
            {"residual": Made(2, 4, **UNIT), "skip": Made(2, 4, **UNIT)},
            lambda residual, skip: U.residual_add(residual, skip, tau=tau),
        )
        g.run(
            f"residual_apply tanh {tau}",
            "residual_apply",
            dict(options, function="tanh"),
            {"x": Made(2, 4, **UNIT)},
            lambda x: U.residual_apply(torch.tanh, x, tau=tau),
        )
        g.run(
            f"residual_apply linear {tau}",
            "residual_apply",
            dict(options, function="linear"),
            {"x": Made(3, 4, **UNIT), "weight": Made(4, 4, **UNIT)},
            lambda x, weight: U.residual_apply(lambda v: U.linear(v, weight, None), x, tau=tau),
        )


def losses():
    for reduction in ("mean", "sum"):
        for shape in [(5, 4), (3, 10), (6,)]:
            classes = shape[-1]
            target = torch.tensor([(3 * i + 1) % classes for i in range(shape[0])] if len(shape) == 2 else 2)
            for mult in (1.0, 0.5, 2.0):
                g.run(
                    f"cross_entropy {shape} {reduction} mult {mult}",
                    "cross_entropy",
                    dict(reduction=reduction, mult=mult),
                    {"x": Made(*shape, **UNIT)},
                    lambda x, target: U.cross_entropy(x, target, reduction=reduction, mult=mult),
                    ints={"target": target},
                )
        for shape in [(7,), (2, 3, 4)]:
            g.run(
                f"mse_loss {shape} {reduction}",
                "mse_loss",
                dict(reduction=reduction),
                {"x": Made(*shape, **UNIT), "target": Made(*shape, **UNIT)},
                lambda x, target: U.mse_loss(x, target, reduction=reduction),
            )
    for tokens, rows, width in [([1, 0, 3, 3], 4, 3), ([[2, 5], [5, 0], [1, 1]], 6, 2)]:
        g.run(
            f"embedding {rows} by {width}",
            "embedding",
            {},
            {"weight": Made(rows, width, **UNIT)},
            lambda weight, tokens: U.embedding(tokens, weight),
            ints={"tokens": tokens},
        )


def modules():
    """What the modules say of their parameters (names, shapes, mu-P types, depth), and their values with made parameters."""
    for name, shape, *layers in [
        ("Linear", (5, 4), ("Linear", dict(in_features=4, out_features=3))),
        (
            "Linear bias",
            (5, 4),
            ("Linear", dict(in_features=4, out_features=3, bias=True, constraint="gmean")),
        ),
        ("Linear output", (5, 4), ("Linear", dict(in_features=4, out_features=3, weight_mup_type="output"))),
        ("LinearReadout", (5, 4), ("LinearReadout", dict(in_features=4, out_features=3, bias=True))),
        (
            "LinearReadout constraint",
            (5, 4),
            ("LinearReadout", dict(in_features=4, out_features=3, constraint="to_output_scale")),
        ),
        (
            "Conv1d",
            (2, 2, 9),
            ("Conv1d", dict(in_channels=2, out_channels=4, kernel_size=3, stride=2, padding=1)),
        ),
        (
            "Conv1d bias",
            (2, 4, 8),
            ("Conv1d", dict(in_channels=4, out_channels=4, kernel_size=3, groups=2, bias=True)),
        ),
        ("LayerNorm", (3, 4), ("LayerNorm", dict(normalized_shape=4, elementwise_affine=True))),
        ("RMSNorm", (3, 4), ("RMSNorm", dict(normalized_shape=4, elementwise_affine=True))),
        (
            "depth 3",
            (3, 4),
            ("Linear", dict(in_features=4, out_features=6)),
            ("SiLU", {}),
            ("Linear", dict(in_features=6, out_features=4, bias=True)),
        ),
        (
            "depth 2",
            (3, 4),
            ("RMSNorm", dict(normalized_shape=4, elementwise_affine=True)),
            ("LinearReadout", dict(in_features=4, out_features=2)),
        ),
    ]:
        made_layers = [getattr(uu, kind)(**arguments) for kind, arguments in layers]
        layer = made_layers[0] if len(layers) == 1 else uu.DepthSequential(*made_layers)
        inputs = {
            "x": Made(*shape, **UNIT),
            **{k: Made(*p.shape, **UNIT) for k, p in layer.named_parameters()},
        }
        entry = g.run(
            f"module {name}",
            "module",
            dict(layers=[dict(kind=kind, **arguments) for kind, arguments in layers]),
            inputs,
            lambda x, **parameters: functional_call(layer, parameters, (x,)),
        )
        entry["parameters"] = [
            dict(name=k, shape=list(p.shape), mup_type=p.mup_type, mup_scaling_depth=p.mup_scaling_depth)
            for k, p in layer.named_parameters()
        ]


PARAMETERS = [
    ((3, 4), "weight", None),
    ((5,), "bias", None),
    ((4,), "norm", 2),
    ((2, 3, 3), "weight", 4),
    ((4, 1, 3), "weight", 9),
    ((2, 6), "output", None),
    ((6,), "weight", None),
    ((3,), "bias", 4),
]


def optimizer_case(name, op, groups, settings, plain=()):
    """groups: (indices of PARAMETERS, settings of the group) each; `plain`: parameters without a mu-P type."""
    number = len(g.cases) + 1
    problem = dict(a=0.8, b=0.7, noise=0.1, noise_seed=3000000 + 20000 * number, steps=100)
    entry = g.case(name, op, dict(**settings, **problem))
    params = {}
    for i, (shape, mup_type, depth) in enumerate(PARAMETERS):
        value = g.add_made(entry, f"p{i}", shape, 2000 * number + i, scale=2.0)
        params[i] = torch.nn.Parameter(value) if i in plain else uu.Parameter(value, mup_type, depth)
    optimizer = {"sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW}[op](
        [dict(params=[params[i] for i in members], **own) for members, own in groups], **settings
    )
    lookup = {id(p): i for i, p in params.items()}
    entry["groups"] = [dict(params=[f"p{i}" for i in members], **own) for members, own in groups]
    entry["parameters"] = [
        dict(
            name=f"p{i}",
            shape=list(PARAMETERS[i][0]),
            mup_type=None if i in plain else PARAMETERS[i][1],
            mup_scaling_depth=None if i in plain else PARAMETERS[i][2],
            scaled_lr=group["lr"],
            scaled_weight_decay=group["weight_decay"],
        )
        for i, group in sorted((lookup[id(group["params"][0])], group) for group in optimizer.param_groups)
    ]
    for t in range(problem["steps"]):
        for i, p in params.items():
            noise = made(p.shape, problem["noise_seed"] + 1000 * i + t)
            p.grad = (
                problem["a"] * p.detach() + problem["b"] * torch.tanh(p.detach()) + problem["noise"] * noise
            )
        optimizer.step()
        if t + 1 in (1, 2, 10, 100):
            for i, p in params.items():
                g.store(entry, f"p{i}_after_{t + 1}", p)


def optimizers():
    everyone = [(list(range(len(PARAMETERS))), {})]
    two = [([0, 1, 2, 3], dict(lr=0.03, weight_decay=0.002)), ([4, 5, 6, 7], dict(lr=0.01))]
    for readout in (None, "to_output_scale"):
        for label, settings in [
            ("", dict(lr=0.02)),
            ("momentum", dict(lr=0.01, momentum=0.9, nesterov=True)),
            ("weight decay", dict(lr=0.02, weight_decay=0.001)),
            ("coupled weight decay", dict(lr=0.02, weight_decay=0.05, independent_weight_decay=False)),
        ]:
            optimizer_case(
                f"sgd readout {named(readout)} {label}",
                "sgd",
                everyone,
                dict(settings, readout_constraint=readout),
            )
    optimizer_case("sgd two groups", "sgd", two, dict(lr=1.0, momentum=0.5, weight_decay=0.0005))
    for op in ("adam", "adamw"):
        for label, settings in [
            ("", dict(lr=0.05)),
            ("weight decay", dict(lr=0.05, weight_decay=0.003)),
            ("coupled weight decay", dict(lr=0.05, weight_decay=0.1, independent_weight_decay=False)),
            ("amsgrad, betas", dict(lr=0.05, amsgrad=True, betas=(0.8, 0.95), weight_decay=0.001)),
        ]:
            optimizer_case(f"{op} {label}", op, everyone, settings)
        optimizer_case(f"{op} two groups", op, two, dict(lr=1.0, weight_decay=0.0005))
        optimizer_case(
            f"{op} plain parameters allowed",
            op,
            everyone,
            dict(lr=0.05, weight_decay=0.002, allow_non_unit_scaling_params=True),
            plain=(1, 3),
        )


for part in (
    primitives,
    linears,
    convolutions,
    norms,
    elementwise,
    binary,
    residuals,
    losses,
    modules,
    optimizers,
):
    part()
g.write(sys.argv[1] if len(sys.argv) > 1 else "unit_scaling.h5")
