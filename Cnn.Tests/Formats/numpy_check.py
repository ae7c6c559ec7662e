"""Reads the arrays of a folder with NumPy, writes them again in its own ways; exit code 1 where its bytes differ."""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
failures = 0

arrays = dict(np.load(folder / "ours.npz"))
for name, array in arrays.items():
    written = BytesIO()
    np.save(written, array)
    if written.getvalue() != (folder / (name.replace("/", "-") + ".npy")).read_bytes():
        failures += 1
        print(f"{name} {array.dtype} {array.shape}: other bytes")

np.savez(folder / "theirs.npz", **arrays)
np.savez_compressed(folder / "compressed.npz", **arrays)
np.savez(
    folder / "fortran.npz",
    **{name: np.array(a, order="F").astype(a.dtype.newbyteorder(">")) for name, a in arrays.items()},
)

sys.exit(failures > 0)
