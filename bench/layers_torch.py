"""PyTorch's side of the comparison: reads one request a line, answers one line of JSON.

Request: {"case": {...} of cases.json, "pass": "forward" | "input grad" | "weight grad" | "train", "threads": n,
"seconds": s}. Answer: {"ms": median, "runs": n}.
"""

import json
import math
import os
import sys
import time

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))

POOL_AXES = {3: "1d", 4: "2d", 5: "3d"}


def ranked(name, case):
    return getattr(nn, name + POOL_AXES[len(case["input"])])


def make_layer(case):
    kind, shape = case["layer"], case["input"]
    options = {k: tuple(case[k]) for k in ("stride", "padding", "dilation") if k in case}
    if kind == "conv":
        return ranked("Conv", case)(shape[1], case["out"], tuple(case["kernel"]), groups=case.get("groups", 1), **options)
    if kind == "conv_transpose":
        return ranked("ConvTranspose", case)(shape[1], case["out"], tuple(case["kernel"]), **options)
    if kind in ("ConvModern", "BlockPlain", "BlockBottleneck"):
        import mdnc_reference

        stride = case["stride"][0] if len(case["stride"]) == 1 else tuple(case["stride"])
        cls = getattr(mdnc_reference, kind + POOL_AXES[len(shape)])
        return cls(shape[1], case["out"], kernel_size=3, stride=stride, padding=1, scaler=case.get("scaler", "down"))
    if kind == "BatchNorm":
        return ranked("BatchNorm", case)(shape[1])
    if kind == "InstanceNorm":
        return ranked("InstanceNorm", case)(shape[1], affine=True)
    if kind == "LayerNorm":
        return nn.LayerNorm(shape[-1])
    if kind == "PReLU":
        return nn.PReLU(shape[1])
    if kind == "Softmax":
        return nn.Softmax(dim=-1)
    if kind == "MaxPool":
        return ranked("MaxPool", case)(tuple(case["kernel"]), **options)
    if kind == "AvgPool":
        return ranked("AvgPool", case)(tuple(case["kernel"]))
    if kind == "AdaptiveAvgPool":
        return ranked("AdaptiveAvgPool", case)(1)
    if kind == "Upsample":
        return nn.Upsample(scale_factor=2, mode=case["mode"], align_corners=None if case["mode"] == "nearest" else True)
    if kind == "Linear":
        return nn.Linear(shape[-1], case["out"])
    return getattr(nn, kind)()


class Residual(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return torch.relu(x + self.body(x))


def make_step(case):
    """A whole training step: forward, backward, Adam."""
    batch = case["input"][0]
    if case["layer"] == "tiny_net":
        net = nn.Sequential(nn.Conv1d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 4))
        classes = 4
    else:
        def block(c):
            return Residual(nn.Sequential(nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU(),
                                          nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)))

        net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), block(16),
                            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), block(32),
                            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        classes = 10
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, y = torch.randn(case["input"]), torch.arange(batch) % classes
    loss = nn.CrossEntropyLoss()

    def step():
        adam.zero_grad()
        loss(net(x), y).backward()
        adam.step()

    return step


def make_optimiser(case):
    parameters = [nn.Parameter(torch.randn(case["input"])) for _ in range(case.get("count", 1))]
    for p in parameters:
        p.grad = torch.randn(case["input"])
    if case["layer"] == "SGD":
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, fused=True).step
    return torch.optim.AdamW(parameters, lr=1e-3, fused=True).step


def make_run(case, which):
    if case["group"] == "step":
        return make_step(case)
    if case["group"] == "optimiser":
        return make_optimiser(case)
    x = torch.randn(case["input"])
    if case["layer"] in ("CrossEntropy", "MSE"):
        target = torch.arange(x.shape[0]) if case["layer"] == "CrossEntropy" else torch.randn(x.shape)
        loss = nn.CrossEntropyLoss() if case["layer"] == "CrossEntropy" else nn.MSELoss()
        layer = lambda t: loss(t, target)
        parameters = []
    else:
        layer = make_layer(case)
        parameters = list(layer.parameters())
    if which == "forward":
        def run():
            with torch.no_grad():
                layer(x)
        return run
    if which == "train":
        x.requires_grad_()
        with torch.no_grad():
            gy = torch.randn_like(layer(x))

        def run():
            x.grad = None
            for p in parameters:
                p.grad = None
            layer(x).backward(gy)
        return run
    wanted = [x] if which == "input grad" else parameters
    for p in parameters:
        p.requires_grad_(which == "weight grad")
    x.requires_grad_(which == "input grad")
    y = layer(x)
    gy = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, wanted, gy, retain_graph=True)


def measure(run, seconds):
    for _ in range(3):
        run()
    times = []
    stop = time.perf_counter() + seconds
    while len(times) < 5 or (time.perf_counter() < stop and len(times) < 2000):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    times.sort()
    return {"ms": 1e3 * times[len(times) // 2], "runs": len(times)}


def main():
    torch.manual_seed(1)
    torch.set_flush_denormal(True)
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        answer = measure(make_run(request["case"], request["pass"]), request["seconds"])
        print(json.dumps(answer), flush=True)


main()
