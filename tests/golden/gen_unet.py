"""unet.h5: keys and counts of every preset of the mdnc networks, and values of tiny ones (unet_spec.md)."""

import sys

import torch

from gen_mdnc import run_layer
from golden_format import GoldenFile, Made
from mdnc_reference import PRESETS, DecoderNet, layer_count, network, preset_family

g = GoldenFile("gen_unet.py")


def presets():
    for package, table in PRESETS.items():
        for name, layers in table.items():
            kind, family = name.rstrip("0123456789"), preset_family(package, name)
            for repaired in (False, True) if (package, name) == ("resnet", "unet16") else (False,):
                options = dict(out_size=64) if kind == "decnet" else {}
                built = dict(options, repaired=True) if repaired else options
                with torch.device("meta"):
                    nets = [network(kind, rank, family, 64, layers, **built) for rank in (1, 2, 3)]
                entry = g.case(
                    f"{package}.{name}{' repaired' if repaired else ''}",
                    "preset",
                    dict(
                        package=package,
                        preset=name,
                        kind=kind,
                        family=family,
                        channel=64,
                        layers=layers,
                        repaired=repaired,
                        **options,
                    ),
                )
                entry["parameters"] = [sum(p.numel() for p in net.parameters()) for net in nets]
                entry["nlayers"] = layer_count(kind, family, layers)
                entry["keys"] = [[k, list(v.shape)] for k, v in nets[0].state_dict().items()]


def some(net):
    """The gradients worth keeping: the first and last weights and some between (biases in front of a norm have none)."""
    names = [k for k, _ in net.named_parameters() if k.endswith("weight")]
    return sorted(
        {names[0], names[-1], names[len(names) // 2], names[len(names) // 3], names[2 * len(names) // 3]}
    )


def tiny_nets():
    number = 0
    for rank, sizes in [(1, (21,)), (2, (9, 8)), (3, (5, 4, 6))]:
        layers = [2, 2, 2] if rank == 1 else [2, 2]
        single = [1] * len(layers)
        for kind in ("unet", "ae", "encnet", "decnet"):
            for family in ("conv", "plain", "bottleneck"):
                variants = [
                    ("usual", layers, {}),
                    ("planes", layers, dict(in_planes=2, out_planes=3)),
                    ("single", single, dict(repaired=True) if kind == "unet" else {}),
                    ("kernel 5", [1, 3], dict(kernel_size=5)),
                ]
                if rank > 1:
                    variants.append(
                        ("kernel per axis", [2, 2], dict(kernel_size=(3, 1) if rank == 2 else (1, 3, 3)))
                    )
                if family == "conv":
                    variants.append(("kernel 4", [2, 2], dict(kernel_size=4)))
                if kind == "encnet":
                    variants.append(("maps", layers, dict(out_length=None)))
                if kind == "decnet":
                    variants.append(("maps", layers, dict(in_length=None)))
                for label, stages, options in variants:
                    number += 1
                    options = dict(options)
                    if kind == "encnet" and "out_planes" in options:
                        options["out_length"] = options.pop("out_planes")
                    if kind == "decnet":
                        options["out_size"] = [n + 3 for n in sizes]
                        if "in_planes" in options:
                            options["in_length"] = options.pop("in_planes")
                    if options.get("kernel_size") == 5 and kind == "unet":
                        stages = [3, 1]
                    net = network(kind, rank, family, 2, stages, **options)
                    if isinstance(net, DecoderNet):
                        planes = options.get("in_length", 2)
                        x = Made(2, planes) if planes else Made(2, 2 ** len(stages), *net.shapes[-1])
                    else:
                        x = Made(2, options.get("in_planes", 1), *sizes)
                    settings = dict(channel=2, layers=stages, kernel_size=3, repaired=False)
                    run_layer(
                        g,
                        f"{kind}{rank}d {family} {label}",
                        f"{kind}{rank}d",
                        dict(settings, family=family, **options),
                        net,
                        x,
                        seed=7000000 + 1000 * number,
                        only=some(net),
                        gap=1e-5,
                    )


if __name__ == "__main__":
    presets()
    tiny_nets()
    g.write(sys.argv[1] if len(sys.argv) > 1 else "unet.h5")
