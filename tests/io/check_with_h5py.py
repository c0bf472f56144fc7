"""Run by h5py_test.cpp with its folder: checks net.h5 against what the test put in, writes doubled.h5 and data.h5."""

import os
import sys

import h5py
import numpy as np

os.chdir(sys.argv[1])
state_dict = {
    "0.weight": ((3, 2, 4), "<f4"), "0.bias": ((3,), "<f4"),
    "1.weight": ((3,), "<f4"), "1.bias": ((3,), "<f4"),
    "3.weight": ((2, 3), "<f8"), "3.bias": ((2,), "<f8"),
    "1.running_mean": ((3,), "<f4"), "1.running_var": ((3,), "<f4"), "1.num_batches_tracked": ((), "<i8"),
}
marks = {"mup_type": np.bytes_("weight"), "mup_scaling_depth": 4, "constraint": np.bytes_("gmean")}

with h5py.File("net.h5", "r") as f, h5py.File("doubled.h5", "w") as out:
    assert set(f.keys()) == set(state_dict), list(f.keys())
    assert dict(f.attrs) == {"format": b"evenkeel.weights", "format_version": 1}, dict(f.attrs)
    for number, (name, (shape, dtype)) in enumerate(state_dict.items()):
        assert f[name].shape == shape and f[name].dtype == np.dtype(dtype), (name, f[name])
        expected = 100 * number + np.arange(np.prod(shape, dtype=int)).reshape(shape)
        np.testing.assert_array_equal(f[name][()], expected, name)
        assert dict(f[name].attrs) == (marks if name == "0.weight" else {}), (name, dict(f[name].attrs))
        out[name] = f[name][()] * f[name].dtype.type(2)
    for name, value in marks.items():
        out["0.weight"].attrs[name] = value

with h5py.File("data.h5", "w") as f:
    images = np.arange(200, dtype="u1").reshape(50, 2, 2)
    f.create_dataset("train/images", data=images, chunks=(8, 2, 2), compression="gzip", shuffle=True)
    f["train/labels"] = np.arange(0, 500, 10, dtype="<i4")
