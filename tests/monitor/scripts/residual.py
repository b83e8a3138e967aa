"""Train a residual net of 1,000 layers on a made-up regression."""

import math
import sys

import torch
from torch import nn

import gradtui


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x):
        return x + 0.05 * self.fc2(torch.relu(self.fc1(x)))


class DeepNet(nn.Module):
    def __init__(self, width=16, blocks=499):
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.blocks = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks)])
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


def norm(module):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in module.parameters()))


torch.manual_seed(0)
model = DeepNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
probe = gradtui.watch(model, optimizer, name="residual")
for step in range(1, int(sys.argv[1]) + 1):
    x = torch.randn(32, 8)
    loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True).sin())
    optimizer.zero_grad()
    loss.backward()
    first, last = norm(model.blocks[0].fc1), norm(model.blocks[-1].fc2)
    print(step, loss.item(), norm(model), first, last, flush=True)
    optimizer.step()
    probe.log(loss=loss)
