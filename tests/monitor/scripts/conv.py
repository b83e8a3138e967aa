"""Train a convolutional net on small pictures, after the first example of most tutorials."""

import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

import gradtui


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 6 * 6, 32)
        self.fc2 = nn.Linear(32, 4)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def norm(module):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in module.parameters()))


def train(model, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        step = (epoch - 1) * len(loader) + batch_idx + 1
        print(step, loss.item(), norm(model), norm(model.conv1), norm(model.fc2), flush=True)


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            correct += model(data).argmax(dim=1).eq(target).sum().item()
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(1)
    # A bright quarter of a noisy picture says which class it is.
    y = torch.randint(0, 4, (1024,))
    x = torch.randn(1024, 1, 16, 16)
    for row in range(1024):
        top, left = 8 * (y[row] // 2), 8 * (y[row] % 2)
        x[row, 0, top : top + 8, left : left + 8] += 1
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True, num_workers=1)
    model = Net()
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    gradtui.watch(model, optimizer, name="conv")
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, int(sys.argv[1]) // len(loader) + 1):
        train(model, loader, optimizer, epoch)
        test(model, loader)
        scheduler.step()


if __name__ == "__main__":
    main()
