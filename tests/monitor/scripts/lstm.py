"""Train a language model of characters with an LSTM, by truncated backpropagation through time."""

import argparse
import math
import sys
from pathlib import Path

import torch
import torch.nn as nn

import gradtui

bptt, batch_size, emsize, nhid, nlayers, clip = 20, 8, 24, 32, 2, 0.25


class RNNModel(nn.Module):
    def __init__(self, ntoken):
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.encoder = nn.Embedding(ntoken, emsize)
        self.rnn = nn.LSTM(emsize, nhid, nlayers, dropout=0.2)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, input, hidden):
        output, hidden = self.rnn(self.drop(self.encoder(input)), hidden)
        return self.decoder(self.drop(output)).flatten(0, 1), hidden


def batchify(data):
    nbatch = len(data) // batch_size
    return data[: nbatch * batch_size].view(batch_size, -1).t().contiguous()


def repackage_hidden(h):
    return tuple(v.detach() for v in h)


def norm(module):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in module.parameters()))


torch.manual_seed(1111)
text = Path(argparse.__file__).read_text(encoding="ascii", errors="ignore")
data = batchify(torch.tensor(list(text.encode("ascii"))))
model = RNNModel(128)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=5.0)

with gradtui.watch(model, optimizer, name="lstm") as probe:
    hidden = None
    for step in range(1, int(sys.argv[1]) + 1):
        at = (step - 1) * bptt % (len(data) - bptt - 1)
        source, target = data[at : at + bptt], data[at + 1 : at + 1 + bptt].flatten()
        optimizer.zero_grad()
        if hidden is not None:
            hidden = repackage_hidden(hidden)
        output, hidden = model(source, hidden)
        loss = criterion(output, target)
        loss.backward()
        first, last = norm(model.rnn), norm(model.decoder)
        total = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        probe.log(loss=loss.item(), ppl=math.exp(loss.item()))
        print(step, loss.item(), total.item(), first, last, flush=True)
