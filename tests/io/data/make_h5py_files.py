"""Makes the files of this folder as a PyTorch user with h5py would: python3 make_h5py_files.py (h5py 3.16, numpy 2)."""

import h5py
import numpy as np


def values(*shape):
    return np.arange(np.prod(shape)).reshape(shape) * 0.5 - 1


def state(f):
    f["stem.weight"] = values(3, 2).astype("<f4")
    f["stem.bias"] = values(3).astype("<f4")
    f["head.weight"] = values(1, 3)
    f["count"] = np.int64(42)


with h5py.File("plain.h5", "w") as f:
    state(f)
with h5py.File("compressed.h5", "w", libver=("earliest", "v108")) as f:
    for name, value in (("stem.weight", values(3, 2).astype("<f4")), ("stem.bias", values(3).astype("<f4")),
                        ("head.weight", values(1, 3))):
        f.create_dataset(name, data=value, compression="gzip", shuffle=True, fletcher32=True)
    f["count"] = np.int64(42)
with h5py.File("marked.h5", "w") as f:
    state(f)
    f["stem.weight"].attrs["mup_type"] = np.bytes_("weight")
    f["stem.weight"].attrs["mup_scaling_depth"] = 4
    f["stem.weight"].attrs["constraint"] = np.bytes_("gmean")
with h5py.File("text_of_variable_length.h5", "w") as f:
    state(f)
    f["stem.weight"].attrs["mup_type"] = "weight"
with h5py.File("other_types.h5", "w") as f:
    state(f)
    del f["stem.weight"], f["count"], f["stem.bias"]
    f["stem.weight"] = values(3, 2).astype("<f2")
    f["stem.bias"] = np.array([b"a", b"b", b"c"])
    f["count"] = np.int32(42)
with h5py.File("soft_link.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f["stem.bias"] = h5py.SoftLink("/stem.weight")
with h5py.File("external_link.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f["stem.bias"] = h5py.ExternalLink("/etc/passwd", "/x")
with h5py.File("external_storage.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f.create_dataset("stem.bias", (3,), "<f4", external=[("/etc/passwd", 0, 12)])
with h5py.File("virtual_storage.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    layout = h5py.VirtualLayout((3,), "<f4")
    layout[:] = h5py.VirtualSource("plain.h5", "stem.bias", (3,))
    f.create_virtual_dataset("stem.bias", layout)
with h5py.File("other_filter.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f.create_dataset("stem.bias", data=values(3).astype("<f4"), compression="lzf")
with h5py.File("huge_chunks.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f.create_dataset("stem.bias", (3,), "<f4", maxshape=(None,), chunks=(1 << 28,))
with h5py.File("huge_shape.h5", "w") as f:
    state(f)
    del f["stem.bias"]
    f.create_dataset("stem.bias", (1 << 40,), "<f4", chunks=(1 << 10,), compression="gzip")
with h5py.File("group.h5", "w") as f:
    state(f)
    f["extra/x"] = values(2)
