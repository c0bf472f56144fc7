"""Opens a file that save_weights() wrote and checks it against what weights_test.cpp put in; rewrites it as `<path>.py.h5`."""

import sys

import h5py
import numpy as np

path = sys.argv[1]
made = lambda *shape: np.arange(np.prod(shape)).reshape(shape) * 0.5 - 1
with h5py.File(path, "r") as f, h5py.File(path + ".py.h5", "w") as out:
    assert sorted(f.keys()) == ["count", "head.weight", "stem.bias", "stem.weight"], list(f.keys())
    for name, shape, dtype in (("stem.weight", (3, 2), "<f4"), ("stem.bias", (3,), "<f4"), ("head.weight", (1, 3), "<f8")):
        assert f[name].shape == shape and f[name].dtype == np.dtype(dtype), (name, f[name])
        np.testing.assert_array_equal(f[name][()], made(*shape))
    assert f["count"].shape == () and f["count"].dtype == np.dtype("<i8") and f["count"][()] == 42
    assert f.attrs["format"] == b"evenkeel.weights" and f.attrs["format_version"] == 1
    assert f["stem.weight"].attrs["mup_type"] == b"weight"
    assert f["stem.weight"].attrs["mup_scaling_depth"] == 4
    assert f["stem.weight"].attrs["constraint"] == b"gmean"
    assert len(f["stem.bias"].attrs) == 0
    for name in f:
        out[name] = f[name][()] * 2
        for key, value in f[name].attrs.items():
            out[name].attrs[key] = value
