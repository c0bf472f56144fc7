"""mdnc_1d.h5, mdnc_2d.h5, mdnc_3d.h5: ConvModern, BlockPlain, BlockBottleneck in every combination of their options."""

import itertools
import sys
import zlib

import torch
from torch import nn
from torch.func import functional_call

from golden_format import GoldenFile, Made
from mdnc_reference import BlockBottleneck, BlockPlain, ConvModern

KINDS = {"ConvModern": ConvModern, "BlockPlain": BlockPlain, "BlockBottleneck": BlockBottleneck}
SIZES = {1: (7,), 2: (4, 5), 3: (3, 4, 3)}
SMALL = {1: (4,), 2: (3, 3), 3: (2, 3, 2)}  # for up-sampling
GEOMETRIES = {  # name: scaler, in, out, stride for each rank, output size for each rank
    "down 1": ("down", 2, 3, {1: 1, 2: 1, 3: 1}, None),
    "down 1 same planes": ("down", 2, 2, {1: 1, 2: (1, 1), 3: 1}, None),
    "down 2": ("down", 2, 3, {1: 2, 2: 2, 3: 2}, None),
    "down per axis": ("down", 2, 2, {1: (3,), 2: (1, 2), 3: (1, 2, 1)}, None),
    "up 1": ("up", 2, 3, {1: 1, 2: 1, 3: 1}, None),
    "up 1 same planes": ("up", 2, 2, {1: 1, 2: 1, 3: (1, 1, 1)}, None),
    "up 2": ("up", 2, 3, {1: 2, 2: 2, 3: 2}, None),
    "up per axis": ("up", 2, 2, {1: (3,), 2: (2, 1), 3: (1, 1, 3)}, None),
    "up to size": ("up", 3, 2, {1: 2, 2: (1, 2), 3: 1}, {1: (7,), 2: (4, 5), 3: (3, 2, 4)}),
}
KERNELS = {
    1: [(3, 1), (5, 2)],
    2: [(3, 1), ((3, 1), (1, 0))],
    3: [((3, 1, 3), (1, 0, 1)), ((1, 3, 3), (0, 1, 1)), (3, 1)],
}


def made_parameter(layer, key, value):
    """Seeded by its name alone, so that equal configurations share their results."""
    seed = zlib.crc32(key.encode()) >> 1
    owner = layer.get_submodule(key.rpartition(".")[0])
    part = key.rpartition(".")[2]
    if part == "running_mean":
        return Made(*value.shape, scale=0.5, grad=False, seed=seed)
    if part == "running_var":
        return Made(*value.shape, scale=0.4, shift=1.0, grad=False, seed=seed)
    if isinstance(owner, nn.PReLU):
        return Made(*value.shape, scale=0.2, shift=0.25, seed=seed)
    if part == "weight" and not hasattr(owner, "kernel_size"):
        return Made(*value.shape, scale=0.5, shift=1.0, seed=seed)
    return Made(*value.shape, scale=0.5, seed=seed)


def run_layer(g, name, op, options, layer, x, seed, only=None, gap=2e-4):
    """`only`: the parameters whose gradients are kept (all, if none). `gap`: how far activations stay from their kink."""
    inputs = {"x": x}
    for key, value in layer.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            inputs[key] = made_parameter(layer, key, value)
            inputs[key].grad = inputs[key].grad and (only is None or key in only)
    statistics = [k for k in inputs if ".running_" in k]
    nearest = []
    hooks = [
        m.register_forward_pre_hook(lambda _, args: nearest.append(args[0].abs().min().item()))
        for m in layer.modules()
        if isinstance(m, (nn.ReLU, nn.PReLU))
    ]

    def function(x, **state):
        state.update({k: state[k].clone() for k in statistics})
        y = functional_call(layer, state, (x,))
        return {"y": y, **{k + "_after": state[k] for k in statistics if layer.training}}

    def away_from_kinks(values):
        nearest.clear()
        function(**values)
        return not nearest or min(nearest) > gap

    entry = g.run(name, op, options, inputs, function, seed=seed, check=away_from_kinks)
    entry["keys"] = [[k, list(v.shape)] for k, v in layer.state_dict().items()]
    for hook in hooks:
        hook.remove()


def layer_cases(g, rank):
    kernels = itertools.cycle(KERNELS[rank])
    for number, ((kind, layer_class), geometry) in enumerate(itertools.product(KINDS.items(), GEOMETRIES)):
        scaler, in_planes, out_planes, strides, output_size = GEOMETRIES[geometry]
        kernel_size, padding = next(kernels)
        sizes = (SMALL if scaler == "up" else SIZES)[rank]
        for normalizer, activator, layer_order in itertools.product(
            ("null", "batch", "inst", "pinst"), ("prelu", "relu", "null"), ("new", "old")
        ):
            options = dict(
                in_planes=in_planes,
                out_planes=out_planes,
                kernel_size=kernel_size,
                stride=strides[rank],
                padding=padding,
                output_size=output_size and output_size[rank],
                normalizer=normalizer,
                activator=activator,
                layer_order=layer_order,
                scaler=scaler,
            )
            modes = (True, False) if normalizer == "batch" and geometry in ("down 2", "up 2") else (True,)
            for training in modes:
                layer = layer_class(rank, **options).train(training)
                run_layer(
                    g,
                    f"{kind} {geometry} {normalizer} {activator} {layer_order}{'' if training else ' eval'}",
                    f"{kind}{rank}d",
                    dict(options, training=training),
                    layer,
                    Made(2, in_planes, *sizes, scale=1.5),
                    seed=1000000 * rank + 1000 * number,
                )


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "."
    for rank in (1, 2, 3):
        g = GoldenFile("gen_mdnc.py")
        layer_cases(g, rank)
        g.write(f"{folder}/mdnc_{rank}d.h5")


if __name__ == "__main__":
    main()
