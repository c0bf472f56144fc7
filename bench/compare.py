"""Times Evenkeel beside PyTorch: every case and pass in turn, one program after the other, in one run.

python compare.py BENCH_PROGRAM TORCH_PYTHON [--threads 1 2] [--only TEXT] [--seconds 0.3] [--out FOLDER]
Writes results.json, a table and a bar chart to the folder; prints the worst rows first, then the geometric mean.
"""

import argparse
import json
import math
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PASSES = {"conv": ["forward", "input grad", "weight grad"], "depthwise": ["forward", "input grad", "weight grad", "train"],
          "transposed": ["forward", "input grad", "weight grad"], "block": ["train"], "other": ["forward", "train"],
          "step": ["train"], "optimiser": ["train"]}


class Side:
    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"no answer to {request}")
        return json.loads(line)


def compare(ours, torch, cases, threads, seconds):
    rows = []
    for case in cases:
        for which in PASSES[case["group"]]:
            for count in threads:
                request = {"case": case, "pass": which, "threads": count, "seconds": seconds / 2}
                halves = [(ours.ask(request), torch.ask(request)) for _ in range(2)]
                mine = min(h[0]["ms"] for h in halves)
                other = min(h[1]["ms"] for h in halves)
                rows.append({"name": case["name"], "group": case["group"], "pass": which, "threads": count,
                             "evenkeel_ms": mine, "torch_ms": other, "ratio": other / mine,
                             "gflops": halves[0][0].get("flops", 0) / mine / 1e6,
                             "peak_gflops": halves[0][0].get("peak_gflops", 0)})
                print(line(rows[-1]), flush=True)
    return rows


def line(row):
    share = f"{100 * row['gflops'] / row['peak_gflops'] / row['threads']:4.0f} %" if row["gflops"] and row["peak_gflops"] else "      "
    return (f"{row['name']:<28} {row['pass']:<12} {row['threads']}t {row['evenkeel_ms']:10.3f} ms {row['torch_ms']:10.3f} ms "
            f"{row['ratio']:7.2f}x {row['gflops']:8.1f} GFLOP/s {share}")


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def bar_chart(rows, path):
    """One bar a group and thread count: how many times faster than PyTorch, on a log axis."""
    groups = {}
    for row in rows:
        groups.setdefault((row["group"], row["threads"]), []).append(row["ratio"])
    bars = [(f"{g}, {t} thread{'s' if t > 1 else ''}", geometric_mean(r), min(r)) for (g, t), r in sorted(groups.items())]
    top = max(2.0, max(b[1] for b in bars) * 1.15)
    left, width, step = 190, 420, 30
    height = 70 + step * len(bars)
    place = lambda ratio: left + width * (math.log2(max(ratio, 0.25)) + 2) / (math.log2(top) + 2)
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" font-family="sans-serif" font-size="13">',
           f'<rect width="100%" height="100%" fill="white"/>',
           '<text x="16" y="24" font-size="15" font-weight="bold">Times faster than PyTorch (geometric mean; tick: worst case)</text>']
    for ratio in (0.25, 0.5, 1, 2, 4, 8, 16, 32):
        if ratio > top:
            break
        svg.append(f'<line x1="{place(ratio):.1f}" x2="{place(ratio):.1f}" y1="40" y2="{height - 25}" stroke="{"#555" if ratio == 1 else "#ddd"}"/>')
        svg.append(f'<text x="{place(ratio):.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{ratio:g}×</text>')
    for i, (label, mean, worst) in enumerate(bars):
        y = 46 + step * i
        svg.append(f'<text x="{left - 10}" y="{y + 14}" text-anchor="end">{label}</text>')
        svg.append(f'<rect x="{left}" y="{y}" width="{place(mean) - left:.1f}" height="18" fill="#0072b2"/>')
        svg.append(f'<line x1="{place(worst):.1f}" x2="{place(worst):.1f}" y1="{y - 3}" y2="{y + 21}" stroke="#d55e00" stroke-width="3"/>')
        svg.append(f'<text x="{place(mean) + 8:.1f}" y="{y + 14}">{mean:.2f}×</text>')
    path.write_text("\n".join(svg + ["</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench")
    parser.add_argument("python")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "results")
    options = parser.parse_args()
    cases = [c for c in json.loads((HERE / "cases.json").read_text()) if options.only in c["name"] or options.only == c["group"]]
    ours, torch = Side(options.bench, "--serve"), Side(options.python, str(HERE / "layers_torch.py"))
    rows = compare(ours, torch, cases, options.threads, options.seconds)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    rows.sort(key=lambda row: row["ratio"])
    table = "\n".join(line(row) for row in rows)
    (options.out / "table.txt").write_text(table + "\n")
    bar_chart(rows, options.out / "speed.svg")
    print("\nworst rows first\n" + table)
    for group in sorted({row["group"] for row in rows}):
        print(f"geometric mean, {group}: {geometric_mean([r['ratio'] for r in rows if r['group'] == group]):.2f}x")
    worst = rows[0]
    print(f"geometric mean: {geometric_mean([row['ratio'] for row in rows]):.2f}x")
    print(f"worst: {worst['ratio']:.2f}x, {worst['name']}, {worst['pass']}, {worst['threads']} threads")


main()
