"""Define healthy trainings on sequences: recurrent nets, attention, state spaces, translation, tagging."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import brackets, digit_images, sums, waves
from tests.diagnosis.scripts.registry import Recorder, healthy, loop, picks


class Rotary(nn.Module):
    """Causal attention with rotary positions and root-mean-square norms (Su et al. 2021, Zhang and Sennrich 2019)."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_wide = nn.RMSNorm(width), nn.RMSNorm(width)
        self.joint, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate, self.wide = (
            nn.Linear(width, 2 * width, bias=False),
            nn.Linear(width, 2 * width, bias=False),
        )
        self.narrow = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        count, steps, width = x.shape
        q, k, v = (
            part.reshape(count, steps, self.heads, -1).transpose(1, 2)
            for part in self.joint(self.norm(x)).chunk(3, 2)
        )
        half = q.shape[-1] // 2
        angle = torch.arange(steps)[:, None] / 100 ** (torch.arange(half) / half)
        cos, sin = angle.cos(), angle.sin()

        def turned(z: Tensor) -> Tensor:
            a, b = z[..., :half], z[..., half:]
            return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

        mixed = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(count, steps, width))
        inside = self.norm_wide(x)
        return x + self.narrow(F.silu(self.gate(inside)) * self.wide(inside))


def next_symbol(
    recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer, **options: object
) -> bool:
    """Train a model of the little language of `sums`."""
    x, y = sums()
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]).flatten(0, 1), y[i].flatten()),
        len(x),
        **options,  # type: ignore[arg-type]
    )


@healthy("Touvron et al. 2023: rotary positions, RMS norm, gated SiLU, AdamW, warm-up and cosine, clip 1")
def llama_like(recorder: Recorder) -> bool:
    model = nn.Sequential(
        nn.Embedding(10, 32), Rotary(32), Rotary(32), nn.RMSNorm(32), nn.Linear(32, 10, bias=False)
    )
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 20, 0.5 + 0.5 * math.cos(math.pi * step / 200))
    )
    return next_symbol(recorder, model, optimizer, steps=200, clip=1.0, scheduler=schedule)


@healthy("Graves 2013: stacked LSTM, value clipping, RMSprop")
def lstm_value_clip(recorder: Recorder) -> bool:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.time, self.out = (
                nn.Embedding(10, 24),
                nn.LSTM(24, 48, 2, batch_first=True),
                nn.Linear(48, 10),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(self.symbols(x))[0])

    model, (x, y) = Net(), sums()
    optimizer = torch.optim.RMSprop(model.parameters(), 3e-3)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 250):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]).flatten(0, 1), y[i].flatten())
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Plain recurrent net with an orthogonal start, next value of a sine (regression, clip 1)")
def elman_orthogonal(recorder: Recorder) -> bool:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time, self.out = nn.RNN(1, 32, batch_first=True), nn.Linear(32, 1)
            nn.init.orthogonal_(self.time.weight_hh_l0)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(x)[0][:, -1])

    model, (x, y) = Net(), waves()
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 2e-3),
        lambda i: F.mse_loss(model(x[i]), y[i]),
        len(x),
        clip=1.0,
        steps=250,
    )


@healthy("Schuster and Paliwal 1997: two directions, a label for each step (tagging)")
def bidirectional_tagging(recorder: Recorder) -> bool:
    x, _ = brackets()
    tags = (x > x.roll(1, 1)).long() + 2 * (x > x.roll(-1, 1)).long()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols = nn.Embedding(8, 16)
            self.time = nn.GRU(16, 32, batch_first=True, bidirectional=True)
            self.out = nn.Linear(64, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(self.symbols(x))[0])

    model = Net()
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 5e-3),
        lambda i: F.cross_entropy(model(x[i]).flatten(0, 1), tags[i].flatten()),
        len(x),
        steps=250,
    )


@healthy("Joulin et al. 2017: a bag of embeddings and one linear layer, rate 0.5")
def bag_of_embeddings(recorder: Recorder) -> bool:
    x, y = brackets()
    model = nn.Sequential(nn.EmbeddingBag(8, 16), nn.Linear(16, 2))
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.5, momentum=0.9),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


@healthy("Kim 2014: convolutions of three widths over embeddings, max over time, Adadelta")
def text_convolutions(recorder: Recorder) -> bool:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols = nn.Embedding(8, 16)
            self.wide = nn.ModuleList([nn.Conv1d(16, 24, width) for width in (2, 3, 4)])
            self.out = nn.Linear(72, 2)

        def forward(self, x: Tensor) -> Tensor:
            z = self.symbols(x).transpose(1, 2)
            return self.out(torch.cat([F.relu(conv(z)).amax(2) for conv in self.wide], 1))

    x, _ = brackets()
    y = ((x[:, 1:] == 1) & (x[:, :-1] == 2)).any(1).long()
    model = Net()
    return loop(
        recorder,
        model,
        torch.optim.Adadelta(model.parameters(), 1.0),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


@healthy("Gu et al. 2022 in spirit: a diagonal linear recurrence, gated, with shortcuts")
def diagonal_state_space(recorder: Recorder) -> bool:
    class Scan(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm, self.into, self.out = (
                nn.LayerNorm(width),
                nn.Linear(width, width),
                nn.Linear(width, width),
            )
            self.decay = nn.Parameter(torch.linspace(1.0, 4.0, width))

        def forward(self, x: Tensor) -> Tensor:
            keep, state, states = torch.sigmoid(self.decay), torch.zeros_like(x[:, 0]), []
            for step in self.into(self.norm(x)).unbind(1):
                state = keep * state + (1 - keep) * step
                states.append(state)
            return x + self.out(F.gelu(torch.stack(states, 1)))

    model = nn.Sequential(nn.Embedding(10, 32), Scan(32), Scan(32), nn.Linear(32, 10))
    return next_symbol(recorder, model, torch.optim.AdamW(model.parameters(), 5e-3), steps=200)


@healthy("Devlin et al. 2019: masked symbols, post-norm encoder of torch with warm-up")
def masked_symbols(recorder: Recorder) -> bool:
    x, _ = sums()
    layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.1, activation="gelu", batch_first=True)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.places = nn.Embedding(11, 32), nn.Parameter(0.02 * torch.randn(11, 32))
            self.encoder, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.encoder(self.symbols(x) + self.places))

    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), 6e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 20))

    def loss_of(i: Tensor) -> Tensor:
        hidden = torch.rand(x[i].shape) < 0.15
        return F.cross_entropy(model(x[i].masked_fill(hidden, 10))[hidden], x[i][hidden])

    # Most hidden symbols cannot be known, so the loss falls by a tenth at most.
    return loop(
        recorder, model, optimizer, loss_of, len(x), batch=64, steps=500, scheduler=schedule
    ) or recorder.fell(0.05)


@healthy("Vaswani et al. 2017: torch's encoder and decoder, teacher forcing, label smoothing")
def encoder_decoder(recorder: Recorder) -> bool:
    x, _ = brackets()
    model = nn.ModuleDict(
        {
            "symbols": nn.Embedding(9, 32),
            "out": nn.Linear(32, 8),
            "net": nn.Transformer(32, 2, 1, 1, 64, 0.0, batch_first=True, norm_first=True),
        }
    )
    places = torch.sin(torch.arange(16)[:, None] / 30 ** (torch.arange(32) / 32))
    mask = nn.Transformer.generate_square_subsequent_mask(16)

    def loss_of(i: Tensor) -> Tensor:
        source, target = x[i], x[i].roll(1, 1)
        given = F.pad(target[:, :-1], (1, 0), value=8)
        out = model["net"](model["symbols"](source) + places, model["symbols"](given) + places, tgt_mask=mask)
        return F.cross_entropy(model["out"](out).flatten(0, 1), target.flatten(), label_smoothing=0.1)

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=250)


@healthy("Truncated backpropagation through time: the hidden state is carried over and detached")
def truncated_through_time(recorder: Recorder) -> bool:
    text = sums(600)[0].flatten()
    streams = text[: len(text) // 16 * 16].reshape(16, -1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.time, self.out = (
                nn.Embedding(10, 16),
                nn.GRU(16, 48, batch_first=True),
                nn.Linear(48, 10),
            )

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    recorder.watch(model, optimizer)
    state = torch.zeros(1, 16, 48)
    for number in range(240):
        start = number * 11 % (streams.shape[1] - 13)
        states, state = model.time(model.symbols(streams[:, start : start + 11]), state.detach())
        loss = F.cross_entropy(model.out(states).flatten(0, 1), streams[:, start + 1 : start + 12].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Graves et al. 2006: connectionist temporal classification of the columns of an image")
def ctc_columns(recorder: Recorder) -> bool:
    images, digits = digit_images()
    model = nn.ModuleDict(
        {"time": nn.GRU(8, 48, batch_first=True, bidirectional=True), "out": nn.Linear(96, 11)}
    )

    def loss_of(i: Tensor) -> Tensor:
        likely = model["out"](model["time"](images[i, 0].transpose(1, 2))[0]).log_softmax(2).transpose(0, 1)
        return F.ctc_loss(
            likely, digits[i, None] + 1, torch.full((len(i),), 8), torch.ones(len(i), dtype=torch.long)
        )

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(images), steps=200)


@healthy("Bengio et al. 2015: an own loop over LSTM cells that feeds its own output back half of the time")
def scheduled_sampling(recorder: Recorder) -> bool:
    x, y = sums()
    model = nn.ModuleDict(
        {"symbols": nn.Embedding(10, 24), "cell": nn.LSTMCell(24, 48), "out": nn.Linear(48, 10)}
    )

    def loss_of(i: Tensor) -> Tensor:
        state, losses, given = (torch.zeros(len(i), 48), torch.zeros(len(i), 48)), [], x[i, 0]
        for step in range(x.shape[1]):
            state = model["cell"](model["symbols"](given), state)
            scores = model["out"](state[0])
            losses.append(F.cross_entropy(scores, y[i, step]))
            own = torch.rand(len(i)) < 0.2
            given = torch.where(own, scores.argmax(1), y[i, step])
        return torch.stack(losses).mean()

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), steps=150)
