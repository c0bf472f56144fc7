"""The layers and networks of mdnc, rebuilt on torch.nn from their description (unet_spec.md and the project's specs).

Only what decides keys, shapes and numbers is here. `rank` is the number of spatial axes.
"""

import torch
from torch import nn

CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
BATCH = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}
BLOCK_DEPTH = {"conv": 1, "plain": 2, "bottleneck": 3}


def norm(rank, kind, planes):
    return BATCH[rank](planes) if kind == "batch" else INSTANCE[rank](planes, affine=kind == "pinst")


def activation(kind, planes):
    return {"prelu": lambda: [nn.PReLU(planes)], "relu": lambda: [nn.ReLU()], "null": lambda: []}[kind]()


def upsample(rank, stride, output_size):
    size = (
        dict(size=output_size)
        if output_size is not None
        else dict(scale_factor=tuple(stride) if isinstance(stride, (list, tuple)) else (stride,) * rank)
    )
    return nn.Upsample(**size, mode=INTERPOLATION[rank], align_corners=True)


def is_strided(stride, output_size, scaler):
    strides = stride if isinstance(stride, (list, tuple)) else [stride]
    return max(strides) > 1 or (scaler == "up" and output_size is not None)


def branch(
    rank,
    in_planes,
    out_planes,
    kernel_size=3,
    stride=1,
    padding=1,
    output_size=None,
    normalizer="pinst",
    activator="prelu",
    layer_order="new",
    scaler="down",
):
    raised = scaler == "up" and is_strided(stride, output_size, scaler)
    bare = normalizer == "null"
    conv = CONV[rank](
        in_planes, out_planes, kernel_size, stride=1 if raised else stride, padding=padding, bias=bare
    )
    scaled = ([upsample(rank, stride, output_size)] if raised else []) + [conv]
    if bare:
        parts = scaled + activation(activator, out_planes)
    elif layer_order == "new":
        parts = [norm(rank, normalizer, in_planes)] + activation(activator, in_planes) + scaled
    else:
        parts = scaled + [norm(rank, normalizer, out_planes)] + activation(activator, out_planes)
    return nn.Sequential(*parts)


def shortcut(rank, in_planes, out_planes, stride, output_size, normalizer, scaler):
    if not is_strided(stride, output_size, scaler) and in_planes == out_planes:
        return None
    bare = normalizer == "null"
    raised = scaler == "up"  # up-samples even by 1, when only the channels differ
    parts = [upsample(rank, stride, output_size)] if raised else []
    parts.append(CONV[rank](in_planes, out_planes, 1, stride=1 if raised else stride, bias=bare))
    return nn.Sequential(*parts, *([] if bare else [norm(rank, normalizer, out_planes)]))


class ConvModern(nn.Module):
    def __init__(self, rank, in_planes, out_planes, **options):
        super().__init__()
        self.mconv = branch(rank, in_planes, out_planes, **options)

    def forward(self, x):
        return self.mconv(x)


class Block(nn.Module):
    def __init__(
        self,
        rank,
        in_planes,
        out_planes,
        stages,
        stride=1,
        output_size=None,
        normalizer="pinst",
        scaler="down",
        **style,
    ):
        super().__init__()
        scaling = dict(stride=stride, output_size=output_size, scaler=scaler)
        for name, (planes_in, planes_out, kernel_size, padding, scales) in stages.items():
            setattr(
                self,
                name,
                branch(
                    rank,
                    planes_in,
                    planes_out,
                    kernel_size=kernel_size,
                    padding=padding,
                    normalizer=normalizer,
                    **style,
                    **(scaling if scales else {}),
                ),
            )
        self.in_node = shortcut(rank, in_planes, out_planes, stride, output_size, normalizer, scaler)

    def forward(self, x):
        y = x
        for name, child in self.named_children():
            if name != "in_node":
                y = child(y)
        return y + (x if self.in_node is None else self.in_node(x))


class BlockPlain(Block):
    def __init__(self, rank, in_planes, out_planes, kernel_size=3, padding=1, **options):
        super().__init__(
            rank,
            in_planes,
            out_planes,
            {
                "conv1": (in_planes, in_planes, kernel_size, padding, False),
                "conv2": (in_planes, out_planes, kernel_size, padding, True),
            },
            **options,
        )


class BlockBottleneck(Block):
    def __init__(self, rank, in_planes, out_planes, kernel_size=3, padding=1, **options):
        super().__init__(
            rank,
            in_planes,
            out_planes,
            {
                "conv1": (in_planes, in_planes, 1, 0, False),
                "conv2": (in_planes, in_planes, kernel_size, padding, True),
                "conv3": (in_planes, out_planes, 1, 0, False),
            },
            **options,
        )


UNIT = {"conv": ConvModern, "plain": BlockPlain, "bottleneck": BlockBottleneck}


class Stack(nn.Module):
    """`level` units in a row; the last one changes the scale. `extra` planes come in by a skip connection."""

    def __init__(
        self,
        rank,
        family,
        in_planes,
        out_planes,
        level,
        geometry,
        hidden=None,
        extra=0,
        scaler="down",
        stride=None,
    ):
        super().__init__()
        kernel_size, padding, usual_stride = geometry
        hidden = hidden or out_planes
        self.extra = extra
        first = in_planes + extra
        self.conv_list = nn.ModuleList(
            UNIT[family](rank, first if i == 0 else hidden, hidden, kernel_size=kernel_size, padding=padding)
            for i in range(level - 1)
        )
        self.conv_scale = UNIT[family](
            rank,
            hidden if level > 1 else first,
            out_planes,
            kernel_size=kernel_size,
            padding=padding,
            stride=usual_stride if stride is None else stride,
            scaler=scaler,
        )

    def forward(self, x, skip=None):
        """The output, and what goes into the last unit (the skip connection of a U-Net)."""
        if self.extra:
            common = [min(a, b) for a, b in zip(x.shape[2:], skip.shape[2:])]
            x = torch.cat((crop(x, common), crop(skip, common)), dim=1)
        for unit in self.conv_list:
            x = unit(x)
        return self.conv_scale(x), x


def crop(x, sizes):
    """The middle of x, on each axis that is longer than asked."""
    for axis, size in enumerate(sizes, 2):
        size = min(size, x.shape[axis])
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


def geometry(kernel_size, plus=0):
    """Kernel, padding, stride of the network for the user's kernel size: an axis of size 1 is left alone."""
    if isinstance(kernel_size, (list, tuple)):
        return tuple(zip(*[geometry(k, plus) for k in kernel_size]))
    size = kernel_size + plus if kernel_size > 1 else 1
    return size, size // 2, 2 if kernel_size > 1 else 1


class Hourglass(nn.Module):
    """UNet (skips=True) and AE (skips=False). `repaired`: see unet_spec.md, section 7."""

    def __init__(
        self, rank, family, channel, layers, skips, kernel_size=3, in_planes=1, out_planes=1, repaired=False
    ):
        super().__init__()
        if len(layers) < 2:
            raise ValueError("layers: at least 2 stages")
        self.skips = skips
        size, padding, _ = geometry(kernel_size, 2)
        usual = geometry(kernel_size)
        self.conv_first = CONV[rank](in_planes, channel, size, padding=padding, bias=False)
        self.conv_down_list = nn.ModuleList()
        self.conv_up_list = nn.ModuleList()
        extras = []
        for stage, level in enumerate(layers[:-1]):
            wider = channel * min(2, stage + 1)
            self.conv_down_list.append(Stack(rank, family, channel, wider, level, usual))
            extras.append(0 if not skips else channel if repaired and level == 1 else wider)
            channel = wider
        self.conv_middle_up = Stack(
            rank, family, channel, channel, layers[-1], usual, hidden=2 * channel, scaler="up"
        )
        for level in layers[-2:0:-1]:
            self.conv_up_list.append(
                Stack(
                    rank,
                    family,
                    channel,
                    channel // 2,
                    level,
                    usual,
                    hidden=channel,
                    extra=extras.pop(),
                    scaler="up",
                )
            )
            channel //= 2
        self.conv_up_list.append(
            Stack(
                rank, family, channel, channel, layers[0], usual, hidden=channel, extra=extras.pop(), stride=1
            )
        )
        self.conv_final = CONV[rank](channel, out_planes, size, padding=padding)

    def forward(self, x):
        x = self.conv_first(x)
        route = []
        for stack in self.conv_down_list:
            before = x.shape[2:]
            x, hidden = stack(x)
            route.append((before, hidden))
        x = self.conv_middle_up(x)[0]
        for stack, (before, hidden) in zip(self.conv_up_list, reversed(route)):
            x = stack(x, hidden)[0] if self.skips else stack(crop(x, before))[0]
        return self.conv_final(x)


class EncoderNet(nn.Module):
    def __init__(self, rank, family, channel, layers, kernel_size=3, in_planes=1, out_length=2):
        super().__init__()
        size, padding, _ = geometry(kernel_size, 2)
        usual = geometry(kernel_size)
        self.netbody = nn.ModuleList([CONV[rank](in_planes, channel, size, padding=padding, bias=False)])
        for stage, level in enumerate(layers):
            self.netbody.append(Stack(rank, family, channel, channel * min(2, stage + 1), level, usual))
            channel *= min(2, stage + 1)
        self.netbody.append(CONV[rank](channel, channel, usual[0], padding=usual[1]))
        self.fc = nn.Linear(channel, out_length) if out_length else None

    def forward(self, x):
        for child in self.netbody:
            x = child(x)[0] if isinstance(child, Stack) else child(x)
        return x if self.fc is None else self.fc(x.flatten(2).mean(2))


class DecoderNet(nn.Module):
    def __init__(self, rank, family, channel, layers, out_size, kernel_size=3, in_length=2, out_planes=1):
        super().__init__()
        size, padding, _ = geometry(kernel_size, 2)
        usual = geometry(kernel_size)
        strides = usual[2] if isinstance(usual[2], tuple) else (usual[2],) * rank
        self.shapes = [tuple(out_size) if isinstance(out_size, (list, tuple)) else (out_size,) * rank]
        for _ in layers:
            if any(n < s for n, s in zip(self.shapes[-1], strides)):
                raise ValueError("out_size is too small for this depth")
            self.shapes.append(tuple(-(-n // s) for n, s in zip(self.shapes[-1], strides)))
        planes = [channel * 2**i for i in reversed(range(len(layers)))]
        smallest = self.shapes[-1]
        if in_length:
            self.conv_in = CONV[rank](in_length, planes[0], smallest, padding=tuple(n - 1 for n in smallest))
        self.conv_first = CONV[rank](planes[0], planes[0], usual[0], padding=usual[1], bias=False)
        self.netbody = nn.ModuleList(
            Stack(rank, family, before, after, level, usual, scaler="up")
            for before, after, level in zip(planes, planes[1:] + planes[-1:], layers)
        )
        self.conv_last = CONV[rank](channel, out_planes, size, padding=padding)

    def forward(self, x):
        if hasattr(self, "conv_in"):
            x = crop(self.conv_in(x.reshape(*x.shape, *[1] * len(self.shapes[0]))), self.shapes[-1])
        x = self.conv_first(x)
        for stack, sizes in zip(self.netbody, reversed(self.shapes[:-1])):
            x = crop(stack(x)[0], sizes)
        return self.conv_last(x)


# family, layers; the first stage has 64 channels
PRESETS = {
    "conv": {
        "unet12": [2] * 3,
        "unet16": [2] * 4,
        "unet17": [3] * 3,
        "unet23": [3] * 4,
        "unet29": [3] * 5,
        "ae12": [2] * 3,
        "ae16": [2] * 4,
        "ae17": [3] * 3,
        "ae23": [3] * 4,
        "ae29": [3] * 5,
        "encnet12": [2] * 5,
        "encnet15": [2, 2, 3, 3, 3],
        "encnet17": [3] * 5,
        "encnet22": [4] * 5,
        "decnet13": [2] * 5,
        "decnet16": [3, 3, 2, 2, 2],
        "decnet18": [3] * 5,
        "decnet23": [4] * 5,
    },
    "resnet": {
        "unet16": [2, 1, 1],
        "unet32": [2] * 3,
        "unet44": [2] * 4,
        "unet65": [3] * 4,
        "unet83": [3] * 5,
        "ae16": [2, 1, 1],
        "ae32": [2] * 3,
        "ae44": [2] * 4,
        "ae65": [3] * 4,
        "ae83": [3] * 5,
        "encnet12": [1] * 5,
        "encnet32": [2] * 5,
        "encnet47": [3] * 5,
        "encnet62": [4] * 5,
        "decnet13": [1] * 5,
        "decnet33": [2] * 5,
        "decnet48": [3] * 5,
        "decnet63": [4] * 5,
    },
}
PLAIN_PRESETS = (
    "unet16",
    "ae16",
    "encnet12",
    "decnet13",
)  # of the residual family; its others are bottleneck


def preset_family(package, name):
    return "conv" if package == "conv" else "plain" if name in PLAIN_PRESETS else "bottleneck"


def network(kind, rank, family, channel, layers, **options):
    if kind in ("unet", "ae"):
        return Hourglass(rank, family, channel, layers, kind == "unet", **options)
    return (EncoderNet if kind == "encnet" else DecoderNet)(rank, family, channel, layers, **options)


def layer_count(kind, family, layers, vector=True):
    """The number in a preset's name: convolutions along the longest path (a block counts 2 or 3)."""
    depth = BLOCK_DEPTH[family]
    if kind in ("unet", "ae"):
        return depth * (2 * sum(layers[:-1]) + layers[-1]) + 2
    return depth * sum(layers) + (3 if kind == "decnet" and vector else 2)
