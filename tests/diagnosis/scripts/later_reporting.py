"""Trainings written later, the half that no rule was set on: sets, implicit layers, inner loops, games, adapters."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from tests.diagnosis.scripts.examples import communities, digit_images, digit_rows, moons, table
from tests.diagnosis.scripts.healthy_others import dense
from tests.diagnosis.scripts.registry import BROKE, STILL, Recorder, failing, healthy, loop, picks

ORDERS = torch.tensor(list(itertools.permutations(range(3))))


@healthy("Carion et al. 2020: a set of boxes, matched with the targets before the loss is taken")
def matched_set(recorder: Recorder) -> bool:
    x, y = torch.randn(1000, 12), torch.rand(1000, 3, 2)
    x = torch.cat([x, y.flatten(1)[:, torch.randperm(6)]], 1)
    model = dense(18, 96, 96, 3 * 4)

    def loss_of(i: Tensor) -> Tensor:
        out = model(x[i]).reshape(-1, 3, 4)
        apart = torch.cdist(out[..., :2].sigmoid(), y[i], p=1)
        best = ORDERS[torch.stack([apart[:, range(3), order].sum(1) for order in ORDERS], 1).argmin(1)]
        boxes = apart.gather(2, best[:, :, None]).mean()
        kinds = F.cross_entropy(out[..., 2:].flatten(0, 1), (best.flatten() == 0).long())
        return 5 * boxes + kinds

    return loop(recorder, model, torch.optim.AdamW(model.parameters(), 2e-3), loss_of, len(x), steps=300)


class Hyper(nn.Module):
    """A net whose output is the weights of another one."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.code = nn.Embedding(4, 16)
        self.weights = dense(16, 64, 64 * 32 + 32 * 10)
        last = self.weights[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=start)

    def forward(self, task: int, x: Tensor) -> Tensor:
        flat = self.weights(self.code.weight[task])
        return (x @ flat[: 64 * 32].reshape(64, 32)).relu() @ flat[64 * 32 :].reshape(32, 10)


@healthy("Ha et al. 2017: a hypernetwork makes the weights of a classifier for each of four tasks")
def hypernetwork(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model, step = Hyper(0.02), [0]

    def loss_of(i: Tensor) -> Tensor:
        step[0] += 1
        return F.cross_entropy(model(step[0] % 4, x[i].roll(step[0] % 4, 1)), y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=250)


class Equilibrium(nn.Module):
    """A layer whose output is a fixed point, found by iteration; the gradient passes through its last step."""

    def __init__(self, size: float, steps: int = 20) -> None:
        super().__init__()
        self.into, self.again, self.out = nn.Linear(64, 48), nn.Linear(48, 48, bias=False), nn.Linear(48, 10)
        self.steps = steps
        nn.init.orthogonal_(self.again.weight, gain=size)

    def forward(self, x: Tensor, *, through: bool = False) -> Tensor:
        z = torch.zeros(len(x), 48)
        with torch.set_grad_enabled(through):
            for _ in range(self.steps):
                z = self._step(z, x)
        return self.out(self._step(z, x))  # type: ignore[no-any-return]

    def _step(self, z: Tensor, x: Tensor) -> Tensor:
        return F.leaky_relu(self.again(z) + self.into(x), 0.5)


@healthy("Bai et al. 2019: a fixed point with a one-step gradient")
def deep_equilibrium(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = Equilibrium(0.5)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x))


@healthy("counts by a Poisson likelihood of log rates; the loss falls below 0")
def poisson_counts(recorder: Recorder) -> bool:
    x = torch.randn(1500, 8)
    y = torch.poisson((0.6 * x[:, :1] - 0.5 * x[:, 1:2] * x[:, 2:3] + 1.2).exp())
    model = dense(8, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(
        recorder, model, optimizer, lambda i: F.poisson_nll_loss(model(x[i]), y[i]), len(x), steps=300
    )


def sines(model: nn.Module, *, cut: bool) -> Tensor:
    """The outer loss of one step on each of four sines, after one inner step on ten points."""
    total = torch.zeros(())
    for _ in range(4):
        height, phase = 0.5 + 2 * torch.rand(()), 3 * torch.rand(())
        x = torch.rand(30, 1) * 6 - 3
        y = height * torch.sin(x + phase)
        names = dict(model.named_parameters())
        inner = F.mse_loss(model(x[:10]), y[:10])
        slopes = torch.autograd.grad(inner, list(names.values()), create_graph=True)
        fast = {
            name: weight - 0.05 * slope for (name, weight), slope in zip(names.items(), slopes, strict=True)
        }
        if cut:
            fast = {name: weight.detach().requires_grad_() for name, weight in fast.items()}
        total = total + F.mse_loss(functional_call(model, fast, (x[10:],)), y[10:]) / 4
    return total


@healthy("Finn et al. 2017: model-agnostic meta-learning of sines, through the inner step")
def inner_loop(recorder: Recorder) -> bool:
    model = dense(1, 40, 40, 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    for _ in range(250):
        optimizer.zero_grad()
        loss = sines(model, cut=False)
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("Mildenhall et al. 2020, Tancik et al. 2020: an image from its coordinates by random waves")
def coordinates_to_image(recorder: Recorder) -> bool:
    image = digit_images()[0][:16, 0].reshape(4, 4, 8, 8).permute(0, 2, 1, 3).reshape(32, 32)
    place = torch.stack(torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 32), indexing="ij"), -1)
    waves = 2 * torch.pi * place.reshape(-1, 2) @ torch.randn(2, 64) * 4
    x, y = torch.cat([waves.sin(), waves.cos()], 1), image.reshape(-1, 1)
    model = dense(128, 64, 64, 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, lambda i: ((model(x[i]) - y[i]) ** 2).mean(), len(x), batch=128)


@healthy("Du and Mordatch 2019: an energy, trained against samples of its own; the loss hovers around 0")
def energy_by_sampling(recorder: Recorder) -> bool:
    x, _ = moons()
    model = dense(2, 64, 64, 1, activation=nn.SiLU)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 64, 200):
        made = torch.randn(64, 2)
        for _ in range(10):
            made = made.detach().requires_grad_()
            pull = torch.autograd.grad(model(made).sum(), made)[0]
            made = made - 0.1 * pull + 0.05 * torch.randn(64, 2)
        near, far = model(x[i]), model(made.detach())
        loss = (near - far).mean() + 0.1 * (near**2 + far**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return bool(model(x).mean() < model(4 * torch.randn(500, 2)).mean())


@healthy("Kendall et al. 2018: two tasks, whose weights are learned; the loss falls below 0")
def uncertain_tasks(recorder: Recorder) -> bool:
    x, y = table()
    model = nn.ModuleDict({"body": dense(16, 64, 48), "one": nn.Linear(48, 1), "two": nn.Linear(48, 1)})
    model.register_parameter("spread", nn.Parameter(torch.zeros(2)))

    def loss_of(i: Tensor) -> Tensor:
        h, spread = model["body"](x[i]).relu(), model.get_parameter("spread")
        errors = torch.stack([F.mse_loss(model["one"](h), y[i]), F.mse_loss(model["two"](h), 0.1 * x[i, :1])])
        return ((-spread).exp() * errors + spread).sum()

    loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), steps=400)
    return bool(F.mse_loss(model["one"](model["body"](x).relu()), y) < 0.6 * y.var())


@healthy("Madry et al. 2018: images that an adversary has changed; the loss stays above that of clean ones")
def adversarial_images(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 96, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)

    def loss_of(i: Tensor) -> Tensor:
        moved = x[i].clone().requires_grad_()
        slope = torch.autograd.grad(F.cross_entropy(model(moved), y[i]), moved)[0]
        return F.cross_entropy(model(x[i] + 0.2 * slope.sign()), y[i])

    return loop(recorder, model, optimizer, loss_of, len(x), steps=250)


@healthy("Mnih et al. 2015: a Q-function, whose returns grow while it learns")
def growing_returns(recorder: Recorder) -> bool:
    model, target = dense(4, 48, 48, 2), dense(4, 48, 48, 2)
    target.load_state_dict(model.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    recorder.watch(model, optimizer)
    for step in range(400):
        s, n, a = torch.randn(64, 4), torch.randn(64, 4), torch.randint(0, 2, (64, 1))
        with torch.no_grad():
            wanted = 1 + s[:, :1].sign() * (2 * a - 1) + 0.95 * target(n).max(1, keepdim=True).values
        loss = F.smooth_l1_loss(model(s).gather(1, a), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 19:
            target.load_state_dict(model.state_dict())
        recorder.log(loss=loss)
    s = torch.randn(500, 4)
    return bool(((model(s).argmax(1) == 1) == (s[:, 0] > 0)).float().mean() > 0.85)


# -- failing


@failing(*BROKE, source="a fixed point whose layer stretches: every iteration of it is larger")
def equilibrium_stretches(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = Equilibrium(0.5 if recorder.fixed else 3.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    return loop(
        recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i], through=True), y[i]), len(x)
    )


@failing(
    "no-gradient", source="meta-learning whose inner weights are detached: the outer loss reaches nothing"
)
def inner_loop_detached(recorder: Recorder) -> bool:
    model = dense(1, 40, 40, 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    for _ in range(200):
        optimizer.zero_grad()
        loss = sines(model, cut=not recorder.fixed)
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing(
    *BROKE,
    "saturated",
    "dead-units",
    source="a hypernetwork with a usual start: the weights that it makes are too large",
)
def hypernetwork_too_large(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = Hyper(0.02 if recorder.fixed else 3.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.02)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(0, x[i]), y[i]), len(x))


@failing(*STILL, source="contrastive learning whose pairs were shuffled apart")
def pairs_apart(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    model = dense(64, 96, 32)

    def loss_of(i: Tensor) -> Tensor:
        other = i if recorder.fixed else torch.randint(0, len(x), (len(i),))
        one = F.normalize(model(x[i] + 0.2 * torch.randn(len(i), 64)), dim=1)
        two = F.normalize(model(x[other] + 0.2 * torch.randn(len(i), 64)), dim=1)
        return F.cross_entropy(one @ two.T / 0.2, torch.arange(len(i)))

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), batch=64, steps=250
    )


@failing(*BROKE, source="a Q-function whose discount is above 1, on its own newest values")
def discount_above_one(recorder: Recorder) -> bool:
    model = dense(4, 48, 2)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    gamma = 0.5 if recorder.fixed else 1.6

    def loss_of(i: Tensor) -> Tensor:
        s, n, a = torch.randn(64, 4), torch.randn(64, 4), torch.randint(0, 2, (64, 1))
        with torch.no_grad():
            wanted = 1 + s[:, :1] + gamma * model(n).max(1, keepdim=True).values
        return F.mse_loss(model(s).gather(1, a), wanted)

    return loop(recorder, model, optimizer, loss_of, 64, steps=500)


class Adapted(nn.Module):
    """A frozen layer with an adapter of rank 4."""

    def __init__(self, *, both_zero: bool) -> None:
        super().__init__()
        self.base = nn.Linear(64, 64)
        self.base.requires_grad_(False)
        self.down, self.up = nn.Parameter(torch.randn(64, 4) / 8), nn.Parameter(torch.zeros(4, 64))
        if both_zero:
            nn.init.zeros_(self.down)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.down @ self.up  # type: ignore[no-any-return]


@failing(*STILL, source="adapters of which both halves start at 0: neither gets a gradient")
def adapters_both_zero(recorder: Recorder) -> bool:
    x, y = digit_rows()
    zero = not recorder.fixed
    head = nn.Linear(64, 10)
    head.requires_grad_(False)
    model = nn.Sequential(Adapted(both_zero=zero), nn.ReLU(), Adapted(both_zero=zero), nn.ReLU(), head)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x))


@failing("not-optimized", source="distillation whose optimizer was given the teacher")
def teacher_is_trained(recorder: Recorder) -> bool:
    x, y = digit_rows()
    teacher, student = dense(64, 96, 10), dense(64, 32, 10)
    first = torch.optim.Adam(teacher.parameters(), 3e-3)
    for i in picks(len(x), 64, 150):
        first.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        first.step()
    optimizer = torch.optim.Adam((student if recorder.fixed else teacher).parameters(), 2e-3)

    def loss_of(i: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = teacher(x[i]).softmax(1)
        return F.kl_div(student(x[i]).log_softmax(1), wanted, reduction="batchmean")

    return loop(recorder, student, optimizer, loss_of, len(x))


@failing("vanishing", *STILL, source="a recurrence of sigmoids over 60 steps, asked for the first one")
def first_of_sixty(recorder: Recorder) -> bool:
    x = torch.randn(800, 60, 1)
    y = (x[:, 0, 0] > 0).long() if not recorder.fixed else (x[:, -1, 0] > 0).long()
    into, again, out = nn.Linear(1, 24), nn.Linear(24, 24), nn.Linear(24, 2)
    model = nn.ModuleDict({"into": into, "again": again, "out": out})

    def loss_of(i: Tensor) -> Tensor:
        h = torch.zeros(len(i), 24)
        for t in range(60):
            h = torch.sigmoid(into(x[i, t]) + again(h))
        return F.cross_entropy(out(h), y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-2), loss_of, len(x), steps=150)


@failing(*STILL, source="Adam with an epsilon of 1e4, far above every gradient")
def epsilon_above_gradients(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, eps=1e-8 if recorder.fixed else 1e4)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x))


@failing("vanishing", *STILL, source="48 layers over a graph without shortcuts: all nodes become alike")
def graph_too_deep(recorder: Recorder) -> bool:
    near, x, y = communities()
    depth = 2 if recorder.fixed else 48
    layers = nn.ModuleList([nn.Linear(8 if k == 0 else 24, 24) for k in range(depth)])
    out = nn.Linear(24, 3)
    model = nn.ModuleDict({"layers": layers, "out": out})

    def loss_of(i: Tensor) -> Tensor:
        h = x
        for layer in layers:
            h = (near @ layer(h)).tanh()
        return F.cross_entropy(out(h), y)

    return loop(recorder, model, torch.optim.SGD(model.parameters(), 0.1), loss_of, len(x), steps=200)


@failing(
    "no-gradient",
    "dead-units",
    *STILL,
    source="a field of densities that starts below 0 everywhere behind a ReLU",
)
def empty_field(recorder: Recorder) -> bool:
    x = torch.rand(1000, 3) * 2 - 1
    y = (1 - x.norm(dim=1, keepdim=True)).relu() * 3
    model = dense(3, 48, 48, 1)
    last = model[-1]
    assert isinstance(last, nn.Linear)
    nn.init.constant_(last.bias, 0.5 if recorder.fixed else -5.0)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, lambda i: ((model(x[i]).relu() - y[i]) ** 2).mean(), len(x))


@failing(
    "not-cleared", source="gradients added up forever in a small convolutional net with momentum and a clip"
)
def never_cleared_clipped(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(), nn.Linear(432, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    return loop(
        recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), clip=1.0,
        clear=recorder.fixed,
    )  # fmt: skip
