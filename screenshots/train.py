"""Train a net of four layers by a learning rate that is far too large."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 16)
y = (x @ torch.randn(16, 8)).argmax(dim=1)
model = nn.Sequential(
    nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)
)
optimizer = torch.optim.SGD(model.parameters(), lr=20.0)
for _ in range(150):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
