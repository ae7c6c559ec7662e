"""Writes PyTorch's own models to a folder: weights as .npz and .safetensors, inputs and predictions as .npz."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

folder = Path(sys.argv[1])
torch.manual_seed(5)


class Named(nn.Module):
    """Names whose alphabetical order is not that of the layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, (3, 2), stride=(2, 1), bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, padding=1, dilation=(1, 2))
        self.fc1 = nn.Linear(48, 10)
        self.bn2 = nn.BatchNorm1d(10)
        self.fc2 = nn.Linear(10, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.tanh(self.conv2(x))
        return self.fc2(self.bn2(torch.sigmoid(self.fc1(torch.flatten(x, 1)))))


models = {
    "sequential": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 5, (3, 2)),
            nn.LeakyReLU(0.2),
            nn.AvgPool2d((1, 2)),
            nn.Flatten(),
            nn.BatchNorm1d(20),
            nn.Dropout(0.3),
            nn.Linear(20, 7),
            nn.ReLU(),
            nn.Linear(7, 3),
            nn.Softmax(1),
        ),
        (2, 9, 10),
    ),
    "named": (Named(), (3, 9, 5)),
}

for name, (model, shape) in models.items():
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    model.eval()
    x = torch.randn(4, *shape)
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    np.savez(folder / f"{name}.npz", **state)
    np.savez(folder / f"{name}.data.npz", x=x.permute(0, 2, 3, 1).numpy(), y=model(x).detach().numpy())

    header, data = {}, b""
    for key in sorted(state):
        raw = state[key].tobytes()
        kind = {"float32": "F32", "int64": "I64"}[str(state[key].dtype)]
        header[key] = {"dtype": kind, "shape": state[key].shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    (folder / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
