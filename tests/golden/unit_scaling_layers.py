"""The cases of gen_unit_scaling.py that have parameters: modules and μP optimisers."""

import torch
import unit_scaling as uu
from torch.func import functional_call
from unit_scaling import optim

from golden_format import Made, made
from unit_scaling_common import UNIT, g, named


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
