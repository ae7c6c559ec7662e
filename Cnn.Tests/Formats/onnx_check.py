"""Runs the ONNX files of a folder with OpenCV and compares with the outputs beside them; exit code 1 where they differ."""

import sys
from pathlib import Path

import cv2
import numpy as np

folder = Path(sys.argv[1])
failures = 0

for line in (folder / "cases.txt").read_text().splitlines():
    name, *shapes = line.split()
    x, y = (
        np.fromfile(folder / (name + kind), "<f4").reshape([int(n) for n in shape.split(",")])
        for kind, shape in zip((".input", ".output"), shapes)
    )
    try:
        net = cv2.dnn.readNetFromONNX(str(folder / (name + ".onnx")))
        net.setInput(x)
        found = net.forward()
        error = np.max(np.abs(found - y) / (1 + np.abs(y))) if found.shape == y.shape else np.inf
        message = f"{error:.2e}" if found.shape == y.shape else f"shape {found.shape} against {y.shape}"
    except cv2.error as refusal:
        error, message = np.inf, " ".join(str(refusal).split())
    if not error <= 1e-4:
        failures += 1
        print(f"{name}: {message}")

print(f"OpenCV {cv2.__version__}: {failures} differ")
sys.exit(failures > 0)
