"""conv_layers.h5: convolutions, transposed convolutions, pads and up-sampling with all their options (issue 3)."""

import itertools
import math
import random
import sys
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from golden_format import GoldenFile, Made

rng = random.Random(30)
g = GoldenFile("gen_conv_layers.py")
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
LONGEST = {1: 13, 2: 7, 3: 5}
KERNELS = {1: [1, 2, 3, 4, 5], 2: [1, 2, 3], 3: [1, 2, 3]}
MODES = ("zeros", "reflect", "replicate", "circular")


def per_axis(rank, values):
    return [rng.choice(values)] * rank if rng.random() < 0.3 else [rng.choice(values) for _ in range(rank)]


def run_layer(name, op, options, layer, x_shape):
    """A layer whose parameters are made: named as in its state_dict."""
    inputs = {"x": Made(*x_shape)}
    for key, p in layer.named_parameters():
        inputs[key] = Made(*p.shape, scale=0.5)

    def function(x, **parameters):
        return functional_call(layer, parameters, (x,))

    g.run(name, op, options, inputs, function)


def batch_shape(channels, sizes, batch):
    return (channels, *sizes) if batch is None else (batch, channels, *sizes)


def channel_plan():
    groups = rng.choice([1, 1, 2, 3])
    return groups, groups * rng.choice([1, 2]), groups * rng.choice([1, 2])


def convolutions(rank):
    for number in range(72):
        mode = MODES[number % 4] if number >= 24 else "zeros"
        text = {
            20: "valid",
            21: "same",
            22: "same",
            23: "same",
            67: "same",
            68: "same",
            69: "same",
            70: "same",
            71: "valid",
        }.get(number)
        kernel = per_axis(rank, KERNELS[rank])
        stride = [1] * rank if text == "same" else per_axis(rank, [1, 1, 2, 3])
        dilation = per_axis(rank, [1, 2] if rank < 3 else [1, 1, 2]) if number % 3 == 0 else [1] * rank
        padding = per_axis(rank, [0, 1, 2] if mode == "zeros" else [1, 2])
        groups, in_channels, out_channels = channel_plan()
        if number in (12, 13, 40):  # depthwise
            groups, in_channels, out_channels = 3, 3, 3 * rng.choice([1, 2])
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
        reach = [(s + 1) // 2 if text == "same" else p for s, p in zip(spans, padding)]
        least = [
            max(1, s if text == "valid" else s - 2 * p, p + 1 if mode in ("reflect", "circular") else 1)
            for s, p in zip(spans, reach)
        ]
        sizes = least if number % 8 == 0 else [rng.randint(low, max(low + 1, LONGEST[rank])) for low in least]
        batch = None if number % 6 == 5 else rng.choice([1, 2, 3] if rank == 1 else [1, 2])
        options = dict(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=kernel,
            stride=stride,
            padding=text or padding,
            dilation=dilation,
            groups=groups,
            bias=number % 5 != 0,
            padding_mode=mode,
        )
        layer = CONV[rank](**options)
        run_layer(
            f"conv{rank}d {number} {mode} {'unbatched' if batch is None else ''}",
            f"conv{rank}d",
            options,
            layer,
            batch_shape(in_channels, sizes, batch),
        )


def transposed(rank):
    number = 0
    while number < 66:
        kernel = per_axis(rank, KERNELS[rank])
        stride = per_axis(rank, [1, 2, 3] if rank < 3 else [1, 2])
        dilation = per_axis(rank, [1, 2]) if number % 3 == 0 else [1] * rank
        padding = per_axis(rank, [0, 0, 1, 2])
        output_padding = [rng.randrange(max(s, d)) if number % 2 else 0 for s, d in zip(stride, dilation)]
        sizes = (
            [1] * rank
            if number % 11 == 0
            else [rng.randint(1, {1: 8, 2: 4, 3: 3}[rank]) for _ in range(rank)]
        )
        outputs = [
            (n - 1) * s - 2 * p + d * (k - 1) + o + 1
            for n, s, p, d, k, o in zip(sizes, stride, padding, dilation, kernel, output_padding)
        ]
        if min(outputs) < 1 or math.prod(outputs) > 160:
            continue
        groups, in_channels, out_channels = channel_plan()
        batch = None if number % 6 == 5 else rng.choice([1, 2])
        options = dict(
            in_channels=in_channels,
            out_channels=out_channels,
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            groups=groups,
            bias=number % 5 != 0,
        )
        run_layer(
            f"conv_transpose{rank}d {number} {'unbatched' if batch is None else ''}",
            f"conv_transpose{rank}d",
            options,
            TRANSPOSED[rank](**options),
            batch_shape(in_channels, sizes, batch),
        )
        number += 1


def pads(rank):
    for mode in ("constant", "reflect", "replicate", "circular"):
        for number in range(8):
            sizes = [rng.randint(3, LONGEST[rank]) for _ in range(rank)]
            amounts = [[rng.choice([0, 1, 2]) for _ in range(2)] for _ in range(rank)]
            if number == 0:
                amounts = [[2, 2]] * rank
            elif number == 1:  # the largest allowed
                amounts = [[n - 1, n - 1] if mode == "reflect" else [n, 0] for n in sizes]
            elif number == 2:
                amounts[-1] = [3, 0] if mode in ("constant", "replicate") else [0, 2]
                sizes[-1] = 1 if mode in ("constant", "replicate") else sizes[-1]
            flat = [a for pair in reversed(amounts) for a in pair]
            value = 0.0 if mode != "constant" or number % 2 else -1.25
            batch = None if number % 4 == 3 else rng.choice([1, 2])
            g.run(
                f"pad{rank}d {mode} {number}",
                f"pad{rank}d",
                dict(mode=mode, padding=flat, value=value),
                {"x": Made(*batch_shape(2, sizes, batch))},
                lambda x: F.pad(
                    x if batch else x[None], flat, mode=mode, value=value if mode == "constant" else None
                )[0 if batch is None else ...],
            )


def nearest_is_exact(sizes, outputs, factors):
    """False where float rounding of the source index decides: PyTorch computes it in float32."""
    for n, out, factor in zip(sizes, outputs, factors):
        scale = Fraction(n, out) if factor is None else 1 / Fraction(factor).limit_denominator(1000)
        rough = torch.tensor(float(scale), dtype=torch.float32)
        for i in range(out):
            want = math.floor(i * scale)
            if (
                int(torch.tensor(float(i), dtype=torch.float32) * rough) != want
                or math.floor(i * float(scale)) != want
            ):
                return False
    return True


def upsamples(rank):
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[rank]
    longest = {1: 9, 2: 5, 3: 4}[rank]
    for mode, align in [("nearest", None), (linear, False), (linear, True)]:
        number = 0
        while number < 14:
            sizes = [rng.randint(1, longest) for _ in range(rank)]
            if number % 2 == 0:
                factors = per_axis(rank, [2.0, 3.0, 1.0] if number < 6 else [1.5, 0.5, 2.3, 1.25])
                outputs = [math.floor(n * f) for n, f in zip(sizes, factors)]
                options = dict(scale_factor=factors)
            else:
                factors = [None] * rank
                outputs = [1] * rank if number == 1 else [rng.randint(1, 2 * longest) for _ in range(rank)]
                options = dict(size=outputs)
            if (
                min(outputs) < 1
                or math.prod(outputs) > 150
                or (mode == "nearest" and not nearest_is_exact(sizes, outputs, factors))
            ):
                continue
            options["mode"] = mode
            if align is not None:
                options["align_corners"] = align
            layer = nn.Upsample(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
            g.run(
                f"upsample{rank}d {mode} {'' if align is None else f'align {align} '}{number} {sizes} to {outputs}",
                f"upsample{rank}d",
                options,
                {"x": Made(rng.choice([1, 2]), rng.choice([1, 2]), *sizes)},
                lambda x: layer(x),
            )
            number += 1


class Named(nn.Module):
    """A layer whose convolution is a child named `conv`."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return self.conv(x)


LENGTHS = {1: (8,), 2: (5, 4), 3: (3, 4, 3)}


def separable(rank, kind, convolution, options, channels):
    """One case with a batch and one without."""
    for batch in (None, 2):
        label = " ".join(f"{k} {v}" for k, v in options.items())
        run_layer(
            f"{kind}{rank}d {label} {'unbatched' if batch is None else ''}",
            f"{kind}{rank}d",
            options,
            Named(convolution(**options)),
            batch_shape(channels, LENGTHS[rank], batch),
        )


def depthwise(rank):
    windows = [([1], [0]), ([2], [1]), ([3], [0]), ([3], [1]), ([4, 1, 2], [2, 0, 1])]
    for channels, times, (kernel, padding) in itertools.product((1, 2, 3), (1, 2), windows):
        options = dict(
            in_channels=channels,
            out_channels=channels * times,
            kernel_size=(kernel * 3)[:rank],
            padding=(padding * 3)[:rank],
        )
        separable(rank, "DepthWiseConv", lambda **o: CONV[rank](**o, groups=channels), options, channels)


def pointwise(rank):
    kernels = ([1], [2], [3] if rank == 1 else [1, 3, 2])
    for (fan_in, fan_out), stride, padding, kernel, bias in itertools.product(
        ((3, 5), (4, 2)), ([1], [2, 1, 3]), ([0], [1]), kernels, (True, False)
    ):
        options = dict(
            in_channels=fan_in,
            out_channels=fan_out,
            stride=(stride * 3)[:rank],
            padding=(padding * 3)[:rank],
            bias=bias,
            kernel_size=(kernel * 3)[:rank],
        )
        separable(rank, "PointwiseConv", CONV[rank], options, fan_in)


for axes in (1, 2, 3):
    convolutions(axes)
    transposed(axes)
    pads(axes)
    upsamples(axes)
for axes in (1, 2, 3):
    depthwise(axes)
    pointwise(axes)
g.write(sys.argv[1] if len(sys.argv) > 1 else "conv_layers.h5")
