"""The convolutions of conv_shapes.txt in PyTorch: one JSON object a line, as kernels_bench prints.

Usage: torch_side.py SHAPES THREADS [NAME...]
"""

import json
import sys
import time

import torch


def read_shapes(path):
    for line in open(path):
        if line.startswith("#") or not line.strip():
            continue
        name, rank, batch, in_channels, out_channels, groups, *options = line.split()
        transposed = options[-1] == "t"
        rank = int(rank)
        sizes = []
        for text in options[:5]:
            values = [int(v) for v in text.split(",")]
            sizes.append(values * rank if len(values) == 1 else values)
        yield name, rank, int(batch), int(in_channels), int(out_channels), int(groups), *sizes, transposed


def best_time(f, clock):
    f()
    best, total, calls = 1e9, 0.0, 0
    while calls < 5 or (total < 0.15 and calls < 1000):
        start = clock()
        f()
        seconds = clock() - start
        best = min(best, seconds)
        total += seconds
        calls += 1
    return best


def main():
    path, threads, *only = sys.argv[1:]
    torch.set_num_threads(int(threads))
    clock = time.thread_time if int(threads) == 1 else time.perf_counter
    for name, rank, n, ci, co, groups, size, kernel, stride, dilation, padding, transposed in read_shapes(path):
        if only and name not in only:
            continue
        x = torch.rand(n, ci, *size) - 0.5
        w = torch.rand(*((ci, co // groups) if transposed else (co, ci // groups)), *kernel) - 0.5
        args = (stride, padding, dilation, transposed, [0] * rank, groups)
        with torch.no_grad():
            y = torch.ops.aten.convolution(x, w, None, *args)
            gy = torch.rand_like(y) - 0.5

            def backward(mask):
                torch.ops.aten.convolution_backward(gy, x, w, None, *args, mask)

            forward = best_time(lambda: torch.ops.aten.convolution(x, w, None, *args), clock)
            gx = best_time(lambda: backward([True, False, False]), clock)
            gw = best_time(lambda: backward([False, True, False]), clock)
        print(json.dumps({"name": name, "forward_ms": round(forward * 1e3, 4), "input_grad_ms": round(gx * 1e3, 4),
                          "weight_grad_ms": round(gw * 1e3, 4)}), flush=True)


if __name__ == "__main__":
    main()
