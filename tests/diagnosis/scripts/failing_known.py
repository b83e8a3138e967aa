"""Define failing trainings, each with one fault: of the rate, start, clipping, precision or wiring."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import (
    brackets,
    communities,
    digit_images,
    digit_rows,
    moons,
    sums,
    table,
    waves,
)
from tests.diagnosis.scripts.healthy_images import convolution
from tests.diagnosis.scripts.healthy_others import dense
from tests.diagnosis.scripts.healthy_sequences import Rotary
from tests.diagnosis.scripts.registry import BROKE, STILL, Recorder, failing, loop, picks


def digits(recorder: Recorder, model: nn.Module, optimizer: torch.optim.Optimizer, **options: object) -> bool:
    """Train a classifier of digits as rows."""
    x, y = digit_rows()
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), **options)  # type: ignore[arg-type]


def small_convolutions(activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return two convolutions with the activation, and a linear layer, for images of digits."""
    model = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), activation(), nn.Conv2d(16, 32, 3, 2, 1), activation())
    return model.append(nn.Flatten()).append(nn.Linear(128, 10))


def start_at(model: nn.Module, deviation: float) -> None:
    """Start the weights of all linear layers at this deviation times that of He et al. (2015)."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=deviation * (2 / layer.in_features) ** 0.5)
            nn.init.zeros_(layer.bias)


# -- rates


@failing(*BROKE, "not-learning", "dead-units", source="Adam at a rate of 2: a convolutional net")
def rate_adam_convolutions(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = small_convolutions()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3 if recorder.fixed else 2.0)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=200)


@failing(*BROKE, "not-learning", source="rate × 300 on a transformer without clipping")
def rate_transformer(recorder: Recorder) -> bool:
    x, y = sums()
    model = nn.Sequential(nn.Embedding(10, 32), Rotary(32), Rotary(32), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3 if recorder.fixed else 1.0)
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]).flatten(0, 1), y[i].flatten()),
        len(x),
        steps=200,
    )


@failing(*BROKE, source="a regression whose inputs were not scaled (size 100), SGD 0.01")
def rate_unscaled_inputs(recorder: Recorder) -> bool:
    x, y = table()
    x = x if recorder.fixed else 100 * x
    model = dense(16, 32, 1)
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.01),
        lambda i: F.mse_loss(model(x[i]), y[i]),
        len(x),
        steps=200,
    )


@failing(*BROKE, source="a schedule that multiplies the rate by 1.1 in each step, and nobody stops it")
def rate_grows_for_ever(recorder: Recorder) -> bool:
    model = dense(64, 64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3 if not recorder.fixed else 0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 1.0 if recorder.fixed else 1.07)
    return digits(recorder, model, optimizer, steps=300, scheduler=schedule)


@failing(*STILL, source="Adam at 1e-8")
def rate_adam_tiny(recorder: Recorder) -> bool:
    model = dense(64, 64, 64, 10)
    return digits(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-3 if recorder.fixed else 1e-8), steps=250
    )


@failing(*STILL, source="a warm-up over 100,000 steps in a training of 300")
def warm_up_never_ends(recorder: Recorder) -> bool:
    x, y = sums()
    model = nn.Sequential(nn.Embedding(10, 32), Rotary(32), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    over = 30 if recorder.fixed else 1_000_000
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / over))
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]).flatten(0, 1), y[i].flatten()),
        len(x),
        steps=300,
        scheduler=schedule,
    )


@failing(
    *STILL,
    source="a schedule that has reached zero before the training began: StepLR with gamma 0 after a step",
)
def rate_zero_after_a_step(recorder: Recorder) -> bool:
    model = dense(64, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 1.0 if recorder.fixed else 1e-4)
    return digits(recorder, model, optimizer, steps=250, scheduler=schedule)


# -- starts and activations


@failing("vanishing", source="sixteen layers of softsign behind a start of a tenth")
def softsign_small_start(recorder: Recorder) -> bool:
    model = dense(64, *[40] * 16, 10, activation=nn.Softsign)
    start_at(model, 1.0 if recorder.fixed else 0.1)
    rate = {"lr": 2e-3} if recorder.fixed else {"lr": 0.01}
    optimizer = (
        torch.optim.Adam(model.parameters(), **rate)
        if recorder.fixed
        else torch.optim.SGD(model.parameters(), **rate)
    )
    return digits(recorder, model, optimizer, steps=250)


@failing("vanishing", source="a convolutional net of fourteen sigmoid layers")
def sigmoid_convolutions(recorder: Recorder) -> bool:
    x, y = digit_images()
    activation = nn.ReLU if recorder.fixed else nn.Sigmoid
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), activation())
    for _ in range(13):
        model.append(nn.Conv2d(12, 12, 3, padding=1)).append(activation())
        nn.init.kaiming_normal_(model[-2].weight)  # type: ignore[arg-type]
    model.append(nn.AdaptiveAvgPool2d(1)).append(nn.Flatten()).append(nn.Linear(12, 10))
    rate = 3e-3 if recorder.fixed else 0.05
    optimizer = (
        torch.optim.Adam(model.parameters(), rate)
        if recorder.fixed
        else torch.optim.SGD(model.parameters(), rate)
    )
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=150)


@failing(
    "exploding", "nonfinite", "unstable-loss", source="twelve ReLU layers that start at twice He's deviation"
)
def relu_large_start(recorder: Recorder) -> bool:
    model = dense(64, *[64] * 12, 10)
    start_at(model, 1.0 if recorder.fixed else 2.2)
    return digits(recorder, model, torch.optim.SGD(model.parameters(), 0.02), steps=200)


@failing(
    "exploding",
    "nonfinite",
    "unstable-loss",
    source="a residual net of forty blocks without a norm or a small branch",
)
def residual_without_norm(recorder: Recorder) -> bool:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = dense(48, 48, 48)
            start_at(self.inside, 0.05 if recorder.fixed else 1.0)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.inside(x)

    model = nn.Sequential(nn.Linear(64, 48), *[Block() for _ in range(40)], nn.Linear(48, 10))
    return digits(recorder, model, torch.optim.SGD(model.parameters(), 0.02), steps=120)


@failing(
    "saturated",
    "not-learning",
    "vanishing",
    "exploding",
    "unstable-loss",
    source="sigmoid layers whose biases start at 12",
)
def saturated_by_biases(recorder: Recorder) -> bool:
    model = dense(64, 48, 48, 48, 10, activation=nn.Sigmoid)
    for layer in list(model)[:-1]:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, 0.0 if recorder.fixed else 12.0)
    return digits(
        recorder, model, torch.optim.Adam(model.parameters(), 5e-3 if recorder.fixed else 1e-3), steps=250
    )


@failing(
    "dead-units",
    "no-gradient",
    "not-learning",
    source="a convolutional net whose ReLUs are pushed below zero by biases of -10",
)
def dead_convolutions(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = small_convolutions()
    nn.init.constant_(model[2].bias, 0.0 if recorder.fixed else -10.0)  # type: ignore[arg-type]
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 2e-3),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=200,
    )


@failing(
    "vanishing",
    "no-gradient",
    "not-learning",
    source="all weights start at the same number in a deep ReLU net: zero",
)
def zero_middle_layer(recorder: Recorder) -> bool:
    model = dense(64, 48, 48, 48, 10)
    if not recorder.fixed:
        for layer in list(model)[2:]:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
    return digits(recorder, model, torch.optim.SGD(model.parameters(), 0.1), steps=250)


@failing(
    "vanishing",
    "not-learning",
    source="a plain recurrent net with weights of a tenth, and the answer depends on the first symbols",
)
def recurrent_forgets(recorder: Recorder) -> bool:
    x, _ = brackets()
    y = x[:, 0] % 2

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.out = nn.Embedding(8, 16), nn.Linear(32, 2)
            self.time = (
                nn.GRU(16, 32, batch_first=True) if recorder.fixed else nn.RNN(16, 32, batch_first=True)
            )
            if isinstance(self.time, nn.RNN):
                nn.init.normal_(self.time.weight_hh_l0, std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(self.symbols(x))[0][:, -1])

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=250)


@failing(
    "exploding",
    "nonfinite",
    "unstable-loss",
    source="a plain recurrent net with recurrent weights of gain 3 and a ReLU",
)
def recurrent_explodes(recorder: Recorder) -> bool:
    x, y = waves()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time, self.out = nn.RNN(1, 32, batch_first=True, nonlinearity="relu"), nn.Linear(32, 1)
            nn.init.orthogonal_(self.time.weight_hh_l0, gain=0.9 if recorder.fixed else 2.0)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(x)[0][:, -1])

    model = Net()
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.01),
        lambda i: F.mse_loss(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


# -- clipping, penalties, precision


@failing("overclipped", "not-learning", source="clip_grad_value_ at 1e-7, SGD")
def clipped_by_value(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 250):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 10.0 if recorder.fixed else 1e-7)
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing("overclipped", "not-learning", source="a clip of 1e-5 on a recurrent net with SGD")
def clipped_recurrent(recorder: Recorder) -> bool:
    x, y = brackets()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.time, self.out = (
                nn.Embedding(8, 16),
                nn.GRU(16, 32, batch_first=True),
                nn.Linear(32, 2),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.time(self.symbols(x))[0].mean(1))

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=400,
        clip=1.0 if recorder.fixed else 1e-5,
    )


@failing(
    "not-learning",
    "vanishing",
    "no-gradient",
    "dead-units",
    source="weight decay of 1 at a rate of 0.1: the weights are drawn to zero",
)
def decay_takes_all(recorder: Recorder) -> bool:
    model = dense(64, 48, 48, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.0 if recorder.fixed else 1.0)
    return digits(recorder, model, optimizer, steps=300)


@failing("underflow", "no-gradient", source="a whole net in float16 whose loss is scaled down by 1e-6")
def half_precision_underflow(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 48, 10)
    optimizer = torch.optim.SGD(model.parameters(), 1e4 if not recorder.fixed else 0.1)
    if not recorder.fixed:
        model.half()
        x = x.half()
    scale = 1.0 if recorder.fixed else 1e-7
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 250):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]).float(), y[i])
        (loss * scale).backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing("not-learning", source="bfloat16 weights and a rate at which each update is rounded away")
def bfloat_rounds_away(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 48, 10)
    if not recorder.fixed:
        model.bfloat16()
        x = x.bfloat16()
    optimizer = torch.optim.SGD(model.parameters(), 0.1 if recorder.fixed else 1e-4)
    return loop(
        recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]).float(), y[i]), len(x), steps=250
    )


@failing("nonfinite", source="the square root of a distance of exactly zero: its gradient is infinite")
def root_of_zero(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    model = dense(64, 32, 8)
    least = 1e-6 if recorder.fixed else 0.0

    def loss_of(i: Tensor) -> Tensor:
        z = model(x[i])
        distance = (((z[:, None] - z[None]) ** 2).sum(2) + least).sqrt()
        wanted = 0.1 * torch.cdist(x[i], x[i])
        return ((distance - wanted) ** 2).mean()

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=250)


@failing(
    "nonfinite",
    source="a standard deviation of one example, at the last, short batch (NaN in the norm by hand)",
)
def deviation_of_one(recorder: Recorder) -> bool:
    x, y = table(101)
    model = dense(16, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    for number in range(240):
        part = slice(number % 11 * 10, number % 11 * 10 + 10)
        if recorder.fixed and number % 11 == 10:
            continue
        z = x[part]
        z = (z - z.mean(0)) / (z.std(0) + 1e-5)
        loss = F.mse_loss(model(z), y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


# -- plumbing


@failing(
    "not-learning", "not-optimized", "no-gradient", source="the model was copied after the optimizer was made"
)
def optimizer_before_copy(recorder: Recorder) -> bool:
    model = dense(64, 48, 10)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    if not recorder.fixed:
        model = copy.deepcopy(model)
    return digits(recorder, model, optimizer, steps=250)


@failing(
    "no-gradient",
    "not-learning",
    source="the encoder's output is detached before the head: the encoder never learns",
)
def encoder_detached(recorder: Recorder) -> bool:
    x, y = digit_images()
    encoder = nn.Sequential(convolution(1, 16, 2), convolution(16, 32, 2), nn.Flatten())
    model = nn.Sequential(encoder, nn.Linear(128, 10))

    def loss_of(i: Tensor) -> Tensor:
        z = encoder(x[i])
        return F.cross_entropy(model[1](z if recorder.fixed else z.detach()), y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=200)


@failing(
    "no-gradient",
    "not-learning",
    source="numpy in the middle of a forward pass cuts the graph below the second layer",
)
def numpy_in_the_middle(recorder: Recorder) -> bool:
    x, y = digit_rows()
    low, high = dense(64, 48), dense(48, 48, 10)
    model = nn.ModuleDict({"low": low, "high": high})

    def loss_of(i: Tensor) -> Tensor:
        z = F.relu(low(x[i]))
        return F.cross_entropy(high(z if recorder.fixed else torch.from_numpy(z.detach().numpy())), y[i])

    return loop(recorder, model, torch.optim.SGD(model.parameters(), 0.1), loss_of, len(x), steps=250)


@failing(
    "no-gradient",
    "not-learning",
    source="the answer goes through argmax, so that nothing but the bias of a constant gets a gradient",
)
def second_tower_never_used(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.ModuleDict({"a": dense(64, 48, 10), "b": dense(64, 48, 10)})

    def loss_of(i: Tensor) -> Tensor:
        both = model["a"](x[i]) + (model["b"](x[i]) if recorder.fixed else model["a"](x[i]))
        return F.cross_entropy(both, y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=200)


@failing(*BROKE, "not-cleared", source="gradients are never cleared: convolutional net, SGD")
def never_cleared_convolutions(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=250,
        clear=recorder.fixed,
    )


@failing(*BROKE, "not-cleared", source="gradients are never cleared: GRU, Adam")
def never_cleared_recurrent(recorder: Recorder) -> bool:
    x, y = waves()
    time, out = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)
    model = nn.ModuleDict({"time": time, "out": out})
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.05, momentum=0.9),
        lambda i: F.mse_loss(out(time(x[i])[0][:, -1]), y[i]),
        len(x),
        steps=250,
        clear=recorder.fixed,
    )


@failing(*STILL, source="the input is multiplied by zero by a wrong mask")
def masked_inputs(recorder: Recorder) -> bool:
    x, y = digit_rows()
    mask = torch.ones(64) if recorder.fixed else torch.zeros(64)
    model = dense(64, 48, 48, 10)
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 2e-3),
        lambda i: F.cross_entropy(model(mask * x[i]), y[i]),
        len(x),
        steps=300,
    )


@failing("not-learning", source="features and answers come from two shufflings of the graph's nodes")
def graph_nodes_mixed(recorder: Recorder) -> bool:
    links, x, y = communities(300)
    x, y = (x, y) if recorder.fixed else (x[torch.randperm(300)], y[torch.randperm(300)])
    first, second = nn.Linear(8, 12), nn.Linear(12, 3)
    model = nn.ModuleDict({"first": first, "second": second})
    optimizer = torch.optim.Adam(model.parameters(), 2e-3 if not recorder.fixed else 1e-2)
    return loop(
        recorder,
        model,
        optimizer,
        lambda _: F.cross_entropy(second(links @ F.relu(first(links @ x))), y),
        300,
        batch=300,
        steps=200,
    )


@failing(*BROKE, source="the sign of a regression's loss is wrong: the error is raised forever")
def error_is_raised(recorder: Recorder) -> bool:
    x, y = table()
    model, sign = dense(16, 32, 1), 1 if recorder.fixed else -1
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.02),
        lambda i: sign * F.mse_loss(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


@failing("not-learning", source="a coin: the answers of moons are random")
def random_answers(recorder: Recorder) -> bool:
    x, y = moons()
    y = y if recorder.fixed else torch.randint(0, 2, y.shape)
    model = dense(2, 16, 2)
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 5e-3),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        batch=64,
        steps=300,
    )
