"""The golden file format: tensors made by formula on both sides, results stored.

A file has two datasets: /cases (uint8, JSON text) and /data (float64, one axis). See README.md.
"""

import json
import math

import h5py
import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

MASK = np.uint64(0xFFFFFFFF)
NOTHING = (
    1e-13  # a result whose largest element is below this is a zero with rounding noise: it is stored as zeros
)
F32_LIMIT = (
    3e-6  # a case whose float32 run is further off than this is ill-conditioned: other inputs are taken
)
NUDGED_LIMIT = 6e-6  # and so is one that is further off in a float32 run from inputs nudged by a rounding each
NUDGES = 6


def made(shape, seed, scale=1.0, shift=0.0):
    """The tensor both sides can make: a hash of (flat index, seed), as a number in [-1, 1)."""
    count = math.prod(shape)
    v = np.arange(count, dtype=np.uint64) * np.uint64(2654435761)
    v = (v + np.uint64((seed * 2246822519 + 12345) & 0xFFFFFFFF)) & MASK
    v ^= v >> np.uint64(15)
    v = (v * np.uint64(2246822519)) & MASK
    v ^= v >> np.uint64(13)
    v = (v * np.uint64(3266489917)) & MASK
    v ^= v >> np.uint64(16)
    value = v.astype(np.float64) / 2.0**31 - 1.0
    return torch.from_numpy((value * scale + shift).reshape(shape))


def nudged(values, number):
    """The tensors, each element off by up to half a unit in the last place of float32: the errors that any float32
    computation makes. One run that happens to be near says little about a tensor that is a sum of cancelling terms."""
    return {
        k: v * (1 + made(v.shape, 31 * number + i, 2.0**-24))
        for i, (k, v) in enumerate(values.items())
    }


class Made:
    """How an input is made: its shape, and what is done to the hash. `grad` asks for its gradient."""

    def __init__(self, *shape, scale=1.0, shift=0.0, grad=True, seed=None):
        self.shape, self.scale, self.shift, self.grad, self.seed = list(shape), scale, shift, grad, seed


class GoldenFile:
    def __init__(self, generator, **extra):
        self.head = {"generator": generator, "torch": torch.__version__.split("+")[0], **extra}
        self.cases = []
        self.data = []
        self.size = 0
        self.known = {}
        self.retried = 0

    def case(self, name, op, options):
        name = " ".join(name.split())
        if any(c["name"] == name for c in self.cases):
            raise ValueError(f"two cases named {name}")
        entry = {"name": name, "op": op, "options": options, "tensors": {}}
        self.cases.append(entry)
        return entry

    def add_made(self, entry, name, shape, seed, scale=1.0, shift=0.0):
        spec = {"shape": list(shape), "make": seed}
        if scale != 1.0:
            spec["scale"] = scale
        if shift != 0.0:
            spec["shift"] = shift
        entry["tensors"][name] = spec
        return made(shape, seed, scale, shift)

    def add_ints(self, entry, name, values):
        array = np.asarray(values, dtype=np.int64)
        entry["tensors"][name] = {"shape": list(array.shape), "ints": array.reshape(-1).tolist()}

    def store(self, entry, name, tensor):
        array = np.ascontiguousarray(tensor.detach().numpy().astype(np.float64))
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{entry['name']}: {name} is not finite")
        if array.size and np.abs(array).max() < NOTHING:
            array = np.zeros_like(array)
        key = array.tobytes()
        if key not in self.known:
            self.known[key] = self.size
            self.data.append(array.reshape(-1))
            self.size += array.size
        entry["tensors"][name] = {"shape": list(array.shape), "offset": self.known[key]}

    def run(self, name, op, options, inputs, function, ints=None, seed=None, check=None):
        """Adds one case: function(**tensors) in float64 -> tensor, or dict of tensors.

        Outputs that carry a graph get a made upstream gradient (`gy`, or `g` + name). The same is done in
        float32; where the two differ too much, or `check(tensors)` is false, other inputs are tried.
        """
        ints = ints or {}
        base = seed if seed is not None else 1000 * (len(self.cases) + 1)
        for _ in range(50):
            seeds = {
                k: (m.seed if m.seed is not None else base + i) for i, (k, m) in enumerate(inputs.items())
            }
            values = {k: made(m.shape, seeds[k], m.scale, m.shift) for k, m in inputs.items()}
            if check is None or check(values):
                exact, gseeds = self._evaluate(inputs, values, ints, function, base, torch.float64)

                def error_of(near):
                    rough, _ = self._evaluate(inputs, near, ints, function, base, torch.float32)
                    return max(relative(rough[k], exact[k]) for k in exact)

                worst = error_of(values)
                if worst < F32_LIMIT:
                    worst = max(error_of(nudged(values, n)) for n in range(NUDGES))
                    if worst < NUDGED_LIMIT:
                        break
            base += 100000007
            self.retried += 1
        else:
            raise ValueError(f"{name}: no well-conditioned inputs found (last error {worst})")
        entry = self.case(name, op, options)
        for k, m in inputs.items():
            self.add_made(entry, k, m.shape, seeds[k], m.scale, m.shift)
        for k, v in ints.items():
            self.add_ints(entry, k, v)
        for k, (shape, s) in gseeds.items():
            self.add_made(entry, k, shape, s)
        for k, v in exact.items():
            self.store(entry, k, v)
        return entry

    @staticmethod
    def _evaluate(inputs, values, ints, function, base, dtype):
        tensors = {k: v.to(dtype).clone().requires_grad_(inputs[k].grad) for k, v in values.items()}
        labels = {k: torch.as_tensor(v) for k, v in ints.items()}
        out = function(**tensors, **labels)
        out = out if isinstance(out, dict) else {"y": out}
        results, gseeds, heads, grads = {}, {}, [], []
        for i, (k, v) in enumerate(out.items()):
            results[k] = v
            if v.requires_grad:
                gseeds["g" + k] = (list(v.shape), base + 50 + i)
                heads.append(v)
                grads.append(made(v.shape, base + 50 + i).to(dtype))
        if heads:
            torch.autograd.backward(heads, grads)
            for k, t in tensors.items():
                if inputs[k].grad:
                    results["grad_" + k] = t.grad if t.grad is not None else torch.zeros_like(t)
        return {k: v.detach().clone() for k, v in results.items()}, gseeds

    def write(self, path):
        text = json.dumps({**self.head, "cases": self.cases}, separators=(",", ":")).encode()
        data = np.concatenate(self.data) if self.data else np.zeros(0)
        with h5py.File(path, "w") as file:
            for name, array in (("cases", np.frombuffer(text, dtype=np.uint8)), ("data", data)):
                file.create_dataset(name, data=array, compression="gzip", compression_opts=9, shuffle=True)
        print(f"{path}: {len(self.cases)} cases, {self.size} numbers, {self.retried} retries")


def relative(got, want):
    """Largest difference over the largest value of the tensor (over 1 where the tensor is nothing but rounding noise)."""
    if want.numel() == 0:
        return 0.0
    size = want.abs().max().item()
    return (got.double() - want).abs().max().item() / (1.0 if size < NOTHING else size)
