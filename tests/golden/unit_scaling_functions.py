"""The cases of gen_unit_scaling.py that are functions."""

import torch
import unit_scaling.functional as U
from unit_scaling import constraints, scale

from golden_format import Made
from unit_scaling_common import BINARY, UNARY, UNIT, g, named


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
