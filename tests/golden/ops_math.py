"""The cases of gen_ops.py that work on elements, axes and whole tensors."""

import torch
import torch.nn.functional as F

from golden_format import Made
from ops_common import away_from, g, no_ties


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
