"""Times the convolutions of conv_shapes.txt in PyTorch, in turn with ours where the program is given.

Usage: conv_against_torch.py SHAPES THREADS [--against KERNELS_BENCH] [--rounds N] [NAME...]
Each round of a shape runs ours, then PyTorch; the best of the rounds counts. One JSON object a line goes to
standard output, the table, worst rows first, to standard error.
"""

import argparse
import json
import math
import subprocess
import sys
import time

import torch

PASSES = ["forward_ms", "input_grad_ms", "weight_grad_ms"]


def read_shapes(path):
    for line in open(path):
        if line.startswith("#") or not line.strip():
            continue
        name, rank, batch, in_channels, out_channels, groups, *options = line.split()
        rank = int(rank)
        sizes = []
        for text in options[:5]:
            values = [int(v) for v in text.split(",")]
            sizes.append(values * rank if len(values) == 1 else values)
        yield name, (rank, int(batch), int(in_channels), int(out_channels), int(groups), *sizes, options[-1] == "t")


def best_ms(f, clock):
    f()
    best, total, calls = 1e9, 0.0, 0
    while calls < 5 or (total < 0.1 and calls < 1000):
        start = clock()
        f()
        seconds = clock() - start
        best = min(best, seconds)
        total += seconds
        calls += 1
    return best * 1e3


def torch_times(rank, n, ci, co, groups, size, kernel, stride, dilation, padding, transposed, clock):
    x = torch.rand(n, ci, *size) - 0.5
    w = torch.rand(*((ci, co // groups) if transposed else (co, ci // groups)), *kernel) - 0.5
    args = (stride, padding, dilation, transposed, [0] * rank, groups)
    with torch.no_grad():
        gy = torch.rand_like(torch.ops.aten.convolution(x, w, None, *args)) - 0.5
        backward = torch.ops.aten.convolution_backward
        return [
            best_ms(lambda: torch.ops.aten.convolution(x, w, None, *args), clock),
            best_ms(lambda: backward(gy, x, w, None, *args, [True, False, False]), clock),
            best_ms(lambda: backward(gy, x, w, None, *args, [False, True, False]), clock),
        ]


class Ours:
    def __init__(self, program, shapes, threads):
        self.process = subprocess.Popen([program, shapes, threads, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def run(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes")
    parser.add_argument("threads")
    parser.add_argument("--against")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(int(options.threads))
    clock = time.thread_time if options.threads == "1" else time.perf_counter
    ours = Ours(options.against, options.shapes, options.threads) if options.against else None
    rows = []
    for name, shape in read_shapes(options.shapes):
        if options.names and name not in options.names:
            continue
        best_ours, best_torch, share = [math.inf] * 3, [math.inf] * 3, [0.0] * 3
        for _ in range(options.rounds):
            if ours:
                result = ours.run(name)
                best_ours = [min(a, result[b]) for a, b in zip(best_ours, PASSES)]
                share = [max(a, b) for a, b in zip(share, result["share_of_peak"])]
            best_torch = [min(a, b) for a, b in zip(best_torch, torch_times(*shape, clock))]
        row = {"name": name, "torch_ms": [round(v, 4) for v in best_torch]}
        if ours:
            row["ours_ms"] = best_ours
            row["share_of_peak"] = share
            row["ratio"] = [round(t / o, 2) for t, o in zip(best_torch, best_ours)]
            row["train_ratio"] = round(sum(best_torch) / sum(best_ours), 2)
        rows.append(row)
        print(json.dumps(row), flush=True)
    if ours and rows:
        for row in sorted(rows, key=lambda r: r["train_ratio"]):
            print("{name:16} train {train_ratio:6.2f}x   passes {ratio}   ms {ours_ms}   of peak {share_of_peak}".format(**row),
                  file=sys.stderr)
        mean = geometric_mean([r["train_ratio"] for r in rows])
        passes = ["%.2f" % geometric_mean([r["ratio"][i] for r in rows]) for i in range(3)]
        print("geometric mean %.2f (forward, input gradient, weight gradient: %s)" % (mean, ", ".join(passes)), file=sys.stderr)


if __name__ == "__main__":
    main()
