"""PyTorch's side of the bench: one line of JSON in, one out.

{"version": true} -> the version. {"case": {...} of cases.json, "pass": ..., "threads": n, "cpus": [...], "seconds": s} -> {"ms": [of each run]}.
{"case": {...}, "peak": true} -> bytes by which a new process grows, at most, in three training steps of the case.
"""

import json
import os
import pathlib
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"))
import mdnc_reference


def rank_of(case):
    return len(case["input"]) - 2


def ranked(name, case):
    return getattr(nn, f"{name}{rank_of(case)}d")


def make_layer(case):
    kind, shape = case["layer"], case["input"]
    options = {k: tuple(case[k]) for k in ("stride", "padding", "dilation") if k in case}
    if kind in ("conv", "conv_transpose"):
        layer = ranked("Conv" if kind == "conv" else "ConvTranspose", case)
        return layer(shape[1], case["out"], tuple(case["kernel"]), groups=case.get("groups", 1), **options)
    if kind in ("ConvModern", "BlockPlain", "BlockBottleneck"):
        block = getattr(mdnc_reference, kind)
        return block(rank_of(case), shape[1], case["out"], stride=tuple(case["stride"]), scaler=case.get("scaler", "down"))
    if kind == "BatchNorm":
        return ranked("BatchNorm", case)(shape[1])
    if kind == "InstanceNorm":
        return ranked("InstanceNorm", case)(shape[1], affine=True)
    if kind in ("LayerNorm", "RMSNorm"):
        return getattr(nn, kind)(shape[-1])
    if kind == "PReLU":
        return nn.PReLU(shape[1])
    if kind in ("Softmax", "LogSoftmax"):
        return getattr(nn, kind)(dim=-1)
    if kind in ("MaxPool", "AvgPool"):
        return ranked(kind, case)(tuple(case["kernel"]), **options)
    if kind == "AdaptiveAvgPool":
        return ranked(kind, case)(1)
    if kind == "Upsample":
        return nn.Upsample(scale_factor=2, mode=case["mode"], align_corners=None if case["mode"] == "nearest" else True)
    if kind == "Linear":
        return nn.Linear(shape[-1], case["out"])
    return getattr(nn, kind)()


LOSSES = {"MSE": F.mse_loss, "L1": F.l1_loss, "Huber": F.huber_loss, "BCEWithLogits": F.binary_cross_entropy_with_logits}


def chain(x):
    for _ in range(500):
        x = torch.relu(x * 1.001)
    return x


def make_function(case):
    """The case's function of its input, and its parameters."""
    shape = case["input"]
    if case["layer"] == "Chain":
        return chain, []
    if case["layer"] == "CrossEntropy":
        labels = torch.arange(shape[0]) % shape[1]
        return lambda x: F.cross_entropy(x, labels), []
    if case["layer"] in LOSSES:
        target, loss = torch.rand(shape), LOSSES[case["layer"]]
        return lambda x: loss(x, target), []
    layer = make_layer(case)
    return layer, list(layer.parameters())


class Block(nn.Module):
    """The residual block of fashion_mnist."""

    def __init__(self, planes_in, planes, stride):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(planes_in, planes, 3, stride, padding=1, bias=False), nn.BatchNorm2d(planes), nn.ReLU(),
                                  nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes))
        self.shortcut = nn.Conv2d(planes_in, planes, 1, stride)

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class EcgNet(nn.Module):
    """The U-Net of ecg_denoise."""

    def __init__(self, planes=(12, 24, 36, 48, 48)):
        super().__init__()

        def block(planes_in, planes_out, stride=1, scaler="down"):
            return mdnc_reference.BlockPlain(1, planes_in, planes_out, kernel_size=5, padding=2, stride=stride, scaler=scaler,
                                             normalizer="null")

        levels = list(zip(planes, planes[1:]))
        self.stem = nn.Conv1d(1, planes[0], 15, padding=7)
        self.encoders = nn.ModuleList(block(here, here) for here, _ in levels)
        self.downs = nn.ModuleList(block(here, below, 4) for here, below in levels)
        self.middle = block(planes[-1], planes[-1])
        self.ups = nn.ModuleList(block(below, here, 4, "up") for here, below in levels)
        self.decoders = nn.ModuleList(block(here, here) for here, _ in levels)
        self.head = nn.Conv1d(planes[0], 1, 7, padding=3)

    def forward(self, x):
        skips, h = [], self.stem(x)
        for encode, down in zip(self.encoders, self.downs):
            skips.append(encode(h))
            h = down(skips[-1])
        h = self.middle(h)
        for up, decode in reversed(list(zip(self.ups, self.decoders))):
            h = decode(up(h) + skips.pop())
        return self.head(h)


NETS = {
    "tiny": lambda: nn.Sequential(nn.Conv1d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4)),
    "first_net": lambda: nn.Sequential(nn.Conv1d(1, 8, 9), nn.ReLU(), nn.Conv1d(8, 16, 9), nn.ReLU(), nn.AdaptiveAvgPool1d(1),
                                       nn.Flatten(), nn.Linear(16, 3)),
    "fashion_mnist": lambda: nn.Sequential(nn.Conv2d(1, 12, 5, 2, padding=2, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
                                           Block(12, 12, 1), Block(12, 24, 2), Block(24, 48, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10)),
    "mu_transfer": lambda: nn.Sequential(*(part for planes, side in ((1, 7), (64, 4), (64, 2)) for part in (
        nn.Conv2d(planes, 64, 3, 2, padding=1, bias=False), nn.RMSNorm((64, side, side), elementwise_affine=False), nn.ReLU())),
        nn.Flatten(), nn.Linear(256, 10, bias=False)),
    "ecg_denoise": EcgNet,
}
CLASSES = {"tiny": 4, "first_net": 3, "fashion_mnist": 10, "mu_transfer": 10}


def make_step(case):
    name, shape = case["layer"], case["input"]
    net, x = NETS[name](), torch.randn(shape)
    adam = torch.optim.Adam if name in ("tiny", "mu_transfer") else torch.optim.AdamW
    optimizer = adam(net.parameters(), lr=1e-3, fused=True)
    if name == "ecg_denoise":
        target, loss = torch.randn(shape), F.mse_loss
    else:
        target, loss = torch.arange(shape[0]) % CLASSES[name], F.cross_entropy

    def step():
        optimizer.zero_grad()
        loss(net(x), target).backward()
        optimizer.step()

    return step


def make_optimiser(case):
    parameters = [nn.Parameter(torch.randn(case["input"])) for _ in range(case.get("count", 1))]
    for p in parameters:
        p.grad = torch.randn(case["input"])
    if case["layer"] == "SGD":
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, fused=True).step
    return getattr(torch.optim, case["layer"])(parameters, lr=1e-3, fused=True).step


def make_run(case, which):
    if case["group"] == "step":
        return make_step(case)
    if case["group"] == "optimiser":
        return make_optimiser(case)
    function, parameters = make_function(case)
    x = torch.randn(case["input"])
    if which == "forward":
        return torch.no_grad()(lambda: function(x))
    if which == "train":
        x.requires_grad_()
        with torch.no_grad():
            gy = torch.randn_like(function(x))

        def run():
            for leaf in (x, *parameters):
                leaf.grad = None
            function(x).backward(gy)

        return run
    wanted = [x] if which == "input grad" else parameters
    for leaf in (x, *parameters):
        leaf.requires_grad_(any(leaf is w for w in wanted))
    y = function(x)
    gy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, wanted, gy, retain_graph=True)


def sample(run, seconds):
    """As sample() in measure.cpp."""
    run()
    times, begin = [], time.perf_counter()
    while len(times) < 2 or (time.perf_counter() - begin < seconds and len(times) < 2000):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def status(field):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])


def peak_growth(case):
    """As peak_growth() in memory.cpp."""
    F.conv1d(torch.ones(2, 64, 64), torch.ones(64, 64, 3, requires_grad=True)).sum().backward()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, files = status("VmRSS"), status("RssFile")
    run = make_run(case, "step" if case["group"] == "step" else "train")
    for _ in range(3):
        run()
    return status("VmHWM") - before - (status("RssFile") - files)


def in_child(function):
    """The result of `function` in a fork of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(function()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return json.loads(os.read(reader, 1000))


def main():
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    made, run = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if "version" in request:
            answer = torch.__version__
        elif "peak" in request:
            answer = in_child(lambda: peak_growth(request["case"]))
        else:
            os.sched_setaffinity(0, request["cpus"])
            torch.set_num_threads(request["threads"])
            if made != (request["case"], request["pass"]):
                made = request["case"], request["pass"]
                run = make_run(*made)
            answer = {"ms": sample(run, request["seconds"])}
        print(json.dumps(answer), flush=True)


main()
