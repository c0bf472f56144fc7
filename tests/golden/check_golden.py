"""Reads every golden file back without golden_format.py: layout, made numbers, and some cases by plain numpy."""

import glob
import json
import math
import os
import sys

import h5py
import numpy as np

folder = os.path.dirname(os.path.abspath(__file__))


def made_one(i, seed):
    v = (i * 2654435761 + seed * 2246822519 + 12345) % 2**32
    v ^= v >> 15
    v = v * 2246822519 % 2**32
    v ^= v >> 13
    v = v * 3266489917 % 2**32
    v ^= v >> 16
    return v / 2**31 - 1


def value(spec, data):
    count = math.prod(spec["shape"])
    if "ints" in spec:
        flat = np.array(spec["ints"], dtype=np.int64)
    elif "make" in spec:
        flat = np.array([made_one(i, spec["make"]) for i in range(count)])
        flat = flat * spec.get("scale", 1.0) + spec.get("shift", 0.0)
    else:
        flat = data[spec["offset"] : spec["offset"] + count]
    assert flat.size == count
    return flat.reshape(spec["shape"])


def close(got, want):
    assert np.abs(got - want).max() <= 1e-13 * max(1.0, np.abs(want).max()), (got, want)


def recompute(case, t):
    """True where this file knows the op."""
    if case["op"] == "linear" and "constraint" in case["options"]:
        if case["options"]["constraint"] != "to_output_scale":
            return False
        fan_in = t["weight"].shape[1]
        rows = t["x"].reshape(-1, fan_in)
        close((t["x"] @ t["weight"].T + t.get("bias", 0.0)) / fan_in**0.5, t["y"])
        close(t["gy"] @ t["weight"] / fan_in**0.5, t["grad_x"])
        close(t["gy"].reshape(len(rows), -1).T @ rows / len(rows) ** 0.5, t["grad_weight"])
    elif case["op"] == "linear":
        close(t["x"] @ t["weight"].T + t.get("bias", 0.0), t["y"])
        close(t["gy"] @ t["weight"], t["grad_x"])
    elif case["op"] == "tanh":
        close((1 - np.tanh(t["x"]) ** 2) * t["gy"], t["grad_x"])
    elif (
        case["op"] == "conv1d"
        and "constraint" not in case["options"]
        and case["options"].get("padding_mode", "zeros") == "zeros"
        and t["x"].ndim == 3
    ):
        o = case["options"]
        if isinstance(o["padding"], str):
            return False
        (s,), (p,), (d,), groups = o["stride"], o["padding"], o["dilation"], o["groups"]
        x = np.pad(t["x"], ((0, 0), (0, 0), (p, p)))
        y = np.zeros_like(t["y"])
        out_group = y.shape[1] // groups
        in_group = x.shape[1] // groups
        for n, c, l in np.ndindex(*y.shape):
            first = c // out_group * in_group
            for q, k in np.ndindex(in_group, t["weight"].shape[2]):
                y[n, c, l] += t["weight"][c, q, k] * x[n, first + q, l * s + k * d]
        close(y + (t["bias"][:, None] if "bias" in t else 0.0), t["y"])
    else:
        return False
    return True


for path in sys.argv[1:] or sorted(glob.glob(os.path.join(folder, "*.h5"))):
    with h5py.File(path) as file:
        assert sorted(file) == ["cases", "data"]
        text, data = json.loads(bytes(file["cases"][:])), file["data"][:]
    assert np.all(np.isfinite(data))
    names = [case["name"] for case in text["cases"]]
    assert len(set(names)) == len(names), [n for n in names if names.count(n) > 1][:3]
    recomputed = 0
    ops = {}
    for number, case in enumerate(text["cases"]):
        ops[case["op"]] = ops.get(case["op"], 0) + 1
        for spec in case["tensors"].values():
            assert "offset" not in spec or spec["offset"] + math.prod(spec["shape"]) <= data.size
        if case["op"] in ("linear", "tanh", "conv1d"):
            recomputed += recompute(case, {k: value(s, data) for k, s in case["tensors"].items()})
    print(
        f"{os.path.basename(path)}: {len(names)} cases, {data.size} numbers, {os.path.getsize(path)} bytes, {recomputed} recomputed"
    )
    print("   " + ", ".join(f"{k} {v}" for k, v in ops.items()))
