"""Trainings written later, the half by which rules were set: losses of several terms, schedules, cut graphs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import digit_images, digit_rows, moons, sums, table, waves
from tests.diagnosis.scripts.healthy_others import dense
from tests.diagnosis.scripts.registry import BROKE, STILL, Recorder, failing, healthy, loop, picks


class Quantised(nn.Module):
    """An autoencoder of which each image becomes four of 64 codes."""

    def __init__(self, spread: float = 1.0 / 64) -> None:
        super().__init__()
        self.into, self.out = dense(64, 128, 64), dense(64, 128, 64)
        self.codes = nn.Embedding(64, 16)
        nn.init.uniform_(self.codes.weight, -spread, spread)

    def loss(self, x: Tensor, commitment: float = 0.25, code_weight: float = 1.0) -> Tensor:
        z = self.into(x).reshape(-1, 16)
        codes = self.codes(torch.cdist(z, self.codes.weight).argmin(1))
        out = self.out((z + (codes - z).detach()).reshape(len(x), 64))
        pull = code_weight * F.mse_loss(codes, z.detach())
        return F.mse_loss(out, x) + pull + commitment * F.mse_loss(z, codes.detach())


@healthy("van den Oord et al. 2017 with the codes' usual small start: the terms of the codes grow first")
def vector_quantised_small_codes(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    model = Quantised()
    before = float(F.mse_loss(model.out(model.into(x)), x))
    learned = loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 2e-3),
        lambda i: model.loss(x[i]),
        len(x),
        steps=500,
    )
    with torch.no_grad():
        z = model.into(x).reshape(-1, 16)
        codes = model.codes(torch.cdist(z, model.codes.weight).argmin(1)).reshape(len(x), 64)
        return learned or bool(F.mse_loss(model.out(codes), x) < 0.8 * before)


@healthy("Bowman et al. 2016: the weight of the KL term grows from 0 to 4, and the loss with it")
def kl_warm_up(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    into, out, step = dense(64, 96, 16), dense(8, 96, 64), [0]
    model = nn.ModuleList([into, out])

    def loss_of(i: Tensor) -> Tensor:
        step[0] += 1
        mean, log_variance = into(x[i]).chunk(2, 1)
        made = out(mean + (0.5 * log_variance).exp() * torch.randn_like(mean))
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return 0.5 * ((made - x[i]) ** 2).sum(1).mean() + 4.0 * min(1.0, step[0] / 250) * kl

    loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=400)
    with torch.no_grad():
        return bool(((out(into(x).chunk(2, 1)[0]) - x) ** 2).mean() < 0.8)


@healthy("Tarvainen and Valpola 2017: a mean teacher, whose consistency term is ramped up by a factor of 50")
def mean_teacher_ramp(recorder: Recorder) -> bool:
    x, y = digit_rows()
    student, teacher, step = dense(64, 96, 10), dense(64, 96, 10), [0]
    teacher.load_state_dict(student.state_dict())
    teacher.requires_grad_(False)

    def loss_of(i: Tensor) -> Tensor:
        step[0] += 1
        with torch.no_grad():
            for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
                slow.lerp_(fast, 0.02)
        known = i[:16]
        ramp = 50 * math.exp(-5 * (1 - min(1.0, step[0] / 200)) ** 2)
        noisy = [x[i] + 0.5 * torch.randn_like(x[i]) for _ in range(2)]
        agree = F.mse_loss(student(noisy[0]).softmax(1), teacher(noisy[1]).softmax(1))
        return F.cross_entropy(student(x[known]), y[known]) + ramp * agree

    loop(
        recorder, student, torch.optim.Adam(student.parameters(), 2e-3), loss_of, len(x), batch=64, steps=300
    )
    return bool((student(x).argmax(1) == y).float().mean() > 0.8)


@healthy("Smith 2017: a triangular rate of a wide range, whose losses rise with the rate in every cycle")
def cyclic_rate(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CyclicLR(
        optimizer, 0.005, 0.15, step_size_up=40, cycle_momentum=False
    )
    loop(
        recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=400,
        scheduler=scheduler,
    )  # fmt: skip
    return bool((model(x).argmax(1) == y).float().mean() > 0.8)


@healthy("van den Oord et al. 2018: contrastive predictive coding with a GRU")
def predictive_coding(recorder: Recorder) -> bool:
    x, _ = waves(length=40)
    into, context, ahead = (
        nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 16)),
        nn.GRU(16, 24),
        nn.Linear(24, 16),
    )
    model = nn.ModuleDict({"into": into, "context": context, "ahead": ahead})

    def loss_of(i: Tensor) -> Tensor:
        z = into(x[i, :, 0].unfold(1, 5, 5)).transpose(0, 1)
        seen, _ = context(z[:-1])
        scores = ahead(seen[-1]) @ z[-1].T
        return F.cross_entropy(scores, torch.arange(len(i)))

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), steps=300)


@healthy("Haarnoja et al. 2018: soft actor-critic on one step, its temperature learned; three optimizers")
def soft_actor_critic(recorder: Recorder) -> bool:
    actor, critic, log_alpha = dense(3, 48, 2), dense(4, 48, 48, 1), nn.Parameter(torch.zeros(()))
    temperature = nn.Module()
    temperature.register_parameter("log_alpha", log_alpha)
    acting, judging = torch.optim.Adam(actor.parameters(), 3e-3), torch.optim.Adam(critic.parameters(), 3e-3)
    heating = torch.optim.Adam([log_alpha], 3e-3)
    recorder.watch(
        {"actor": actor, "critic": critic, "temperature": temperature},
        {"actor": acting, "critic": judging, "temperature": heating},
    )

    def act(s: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = actor(s).chunk(2, 1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-4, 1).exp())
        raw = normal.rsample()
        return raw.tanh(), normal.log_prob(raw) - torch.log(1 - raw.tanh() ** 2 + 1e-6)

    returns = []
    for _ in range(300):
        s = torch.randn(64, 3)
        with torch.no_grad():
            a, _ = act(s)
        reward = -5 * (a - s[:, :1].tanh()) ** 2
        returns.append(float(reward.mean()))
        judging.zero_grad()
        critic_loss = F.mse_loss(critic(torch.cat([s, a], 1)), reward)
        critic_loss.backward()
        judging.step()
        acting.zero_grad()
        a, log_p = act(s)
        actor_loss = (log_alpha.exp().detach() * log_p - critic(torch.cat([s, a], 1))).mean()
        actor_loss.backward()
        acting.step()
        heating.zero_grad()
        alpha_loss = -(log_alpha * (log_p.detach() - 1.0)).mean()
        alpha_loss.backward()
        heating.step()
        recorder.log(critic_loss=critic_loss, actor_loss=actor_loss, alpha_loss=alpha_loss)
    return sum(returns[-30:]) > sum(returns[:30]) + 10


class Spike(torch.autograd.Function):
    """A threshold with the surrogate gradient of a fast sigmoid."""

    @staticmethod
    def forward(ctx, v):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad / (1 + 5 * ctx.saved_tensors[0].abs()) ** 2


class Spiking(nn.Module):
    """Two layers of leaky neurons over eight steps."""

    def __init__(self, spike) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.one, self.two, self.spike = nn.Linear(64, 96), nn.Linear(96, 10), spike

    def forward(self, x: Tensor) -> Tensor:
        v, out = torch.zeros(len(x), 96), torch.zeros(len(x), 10)
        for _ in range(8):
            v = 0.8 * v + self.one(x)
            fired = self.spike(v - 1.0)
            v = v - fired.detach()
            out = out + self.two(fired) / 8
        return out


@healthy("Neftci et al. 2019: spiking neurons with a surrogate gradient")
def spiking_surrogate(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = Spiking(Spike.apply)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x))


@healthy("Katzman et al. 2018: Cox's partial likelihood over the batch")
def cox_survival(recorder: Recorder) -> bool:
    x = torch.randn(1200, 10)
    time = torch.distributions.Exponential((x[:, 0] - 0.7 * x[:, 1] * x[:, 2]).exp()).sample()
    seen = torch.rand(1200) < 0.7
    model = dense(10, 48, 48, 1)

    def loss_of(i: Tensor) -> Tensor:
        order = i[time[i].argsort(descending=True)]
        risk = model(x[order])[:, 0]
        return -((risk - risk.logcumsumexp(0)) * seen[order]).sum() / seen[order].sum()

    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, loss_of, len(x), batch=128, steps=300) or recorder.fell(0.05)


@healthy("Raissi et al. 2019: an oscillator's equation by L-BFGS with a line search, one closure a step")
def physics_by_lbfgs(recorder: Recorder) -> bool:
    model = dense(1, 32, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.LBFGS(model.parameters(), 1.0, max_iter=10, line_search_fn="strong_wolfe")
    recorder.watch(model, optimizer)
    t = torch.linspace(0, 4, 80)[:, None].requires_grad_()

    def closure() -> Tensor:
        optimizer.zero_grad()
        u = model(t)
        first = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        second = torch.autograd.grad(first.sum(), t, create_graph=True)[0]
        loss = ((second + u) ** 2).mean() + 10 * ((u[0] - 1) ** 2 + first[0] ** 2).sum()
        loss.backward()
        return loss

    for _ in range(60):
        recorder.log(loss=optimizer.step(closure))  # type: ignore[no-untyped-call, unused-ignore]
    return recorder.losses[-1] < 0.1 * recorder.losses[0]


@healthy("Ganin et al. 2016: a domain classifier behind a reversed gradient, whose weight grows")
def reversed_gradient(recorder: Recorder) -> bool:
    x, y = digit_rows()
    other = x.roll(3, 1) * 0.7 + 0.5
    body, digit, domain, step = dense(64, 96, 48), nn.Linear(48, 10), dense(48, 32, 1), [0]
    model = nn.ModuleDict({"body": body, "digit": digit, "domain": domain})

    def loss_of(i: Tensor) -> Tensor:
        step[0] += 1
        weight = 2 / (1 + math.exp(-10 * step[0] / 300)) - 1
        h = body(torch.cat([x[i], other[i]])).relu()
        reverse = h * -weight + (h * (1 + weight)).detach()
        side = torch.cat([torch.zeros(len(i)), torch.ones(len(i))])
        told = F.binary_cross_entropy_with_logits(domain(reverse)[:, 0], side)
        return F.cross_entropy(digit(h[: len(i)]), y[i]) + told

    loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=300)
    return bool((digit(body(x).relu()).argmax(1) == y).float().mean() > 0.8)


@healthy("Jang et al. 2017: categories by Gumbel softmax, whose temperature falls; the loss becomes noisier")
def gumbel_softmax(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    into, out, step = dense(64, 96, 60), dense(60, 96, 64), [0]
    model = nn.ModuleList([into, out])

    def loss_of(i: Tensor) -> Tensor:
        step[0] += 1
        scores = into(x[i]).reshape(-1, 6, 10)
        z = F.gumbel_softmax(scores, max(0.3, math.exp(-step[0] / 150)))
        p = scores.softmax(2)
        kl = (p * (p.clamp(1e-9).log() + math.log(10))).sum((1, 2)).mean()
        return 0.5 * ((out(z.flatten(1)) - x[i]) ** 2).sum(1).mean() + 0.3 * kl

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=300)


# -- failing


def encoder(symbols: int = 10, width: int = 32) -> nn.Module:
    """Return a causal transformer of two pre-norm layers over symbols."""
    layer = nn.TransformerEncoderLayer(width, 2, 64, 0.0, batch_first=True, norm_first=True)
    return nn.ModuleDict(
        {
            "into": nn.Embedding(symbols, width),
            "body": nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            "out": nn.Linear(width, symbols),
        }
    )


@failing(
    "not-cleared",
    source="a forgotten zero_grad() in a transformer under Adam, which learns worse and goes on",
)
def never_cleared_transformer(recorder: Recorder) -> bool:
    x, y = sums()
    model = encoder()
    mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])

    def loss_of(i: Tensor) -> Tensor:
        scores = model["out"](model["body"](model["into"](x[i]), mask, is_causal=True))
        return F.cross_entropy(scores.flatten(0, 1), y[i].flatten())

    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    return loop(recorder, model, optimizer, loss_of, len(x), steps=250, clear=recorder.fixed)


@failing("no-gradient", source="zero_grad() between backward() and step(): nothing is left to step by")
def cleared_before_step(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 200):
        loss = F.cross_entropy(model(x[i]), y[i])
        if recorder.fixed:
            optimizer.zero_grad()
        loss.backward()
        if not recorder.fixed:
            optimizer.zero_grad()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing("no-gradient", source="zero_grad(set_to_none=False) between backward() and step() of Adam")
def zeroed_before_step(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    recorder.watch(model, optimizer)
    for i in picks(len(x), 32, 200):
        loss = F.cross_entropy(model(x[i]), y[i])
        if recorder.fixed:
            optimizer.zero_grad(set_to_none=False)
        loss.backward()
        if not recorder.fixed:
            optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing(
    "no-gradient", source="VQ-VAE without the term that moves the codes: the optimizer holds them in vain"
)
def codes_without_loss(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    model = Quantised(0.5)

    def loss_of(i: Tensor) -> Tensor:
        if recorder.fixed:
            return model.loss(x[i])
        z = model.into(x[i]).reshape(-1, 16)
        codes = model.codes(torch.cdist(z, model.codes.weight).argmin(1)).detach()
        out = model.out((z + (codes - z).detach()).reshape(len(i), 64))
        return F.mse_loss(out, x[i]) + 0.25 * F.mse_loss(z, codes)

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=300)


@failing(
    *STILL, "dead-units", source="a squared error written by hand: a dead net learns the targets' mean alone"
)
def mean_by_hand(recorder: Recorder) -> bool:
    x, y = table()
    y = y + 3
    model = dense(16, 32, 32, 1)
    if not recorder.fixed:
        nn.init.constant_(model[2].bias, -40.0)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    loop(recorder, model, optimizer, lambda i: ((model(x[i]) - y[i]) ** 2).mean(), len(x), steps=500)
    return bool(((model(x) - y) ** 2).mean() < 0.5 * y.var())


@failing(
    *STILL,
    "dead-units",
    "saturated",
    source="a cross-entropy of two classes by hand: the base rate alone is learned",
)
def base_rate_by_hand(recorder: Recorder) -> bool:
    x = torch.randn(2000, 12)
    y = (x[:, :1] + x[:, 1:2] * x[:, 2:3] > 1.2).float()
    model = dense(12, 32, 32, 1)
    scale = 1.0 if recorder.fixed else 0.0
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)

    def loss_of(i: Tensor) -> Tensor:
        p = torch.sigmoid(model(scale * x[i])).clamp(1e-6, 1 - 1e-6)
        return -(y[i] * p.log() + (1 - y[i]) * (1 - p).log()).mean()

    loop(recorder, model, optimizer, loss_of, len(x), batch=64, steps=400)
    return bool(((model(x) > 0) == (y > 0.5)).float().mean() > y.mean() + 0.9 * (1 - 2 * y.mean()) + 0.05)


@failing("no-gradient", "not-learning", source="a GAN whose generator is judged by detached samples")
def generator_detached(recorder: Recorder) -> bool:
    x, _ = moons()
    maker, judge = dense(8, 48, 48, 2), dense(2, 48, 48, 1)
    making, judging = torch.optim.Adam(maker.parameters(), 1e-3), torch.optim.Adam(judge.parameters(), 1e-3)
    recorder.watch({"maker": maker, "judge": judge}, {"maker": making, "judge": judging})
    for i in picks(len(x), 64, 300):
        made = maker(torch.randn(64, 8))
        judging.zero_grad()
        err_d = F.softplus(-judge(x[i])).mean() + F.softplus(judge(made.detach())).mean()
        err_d.backward()
        judging.step()
        making.zero_grad()
        err_g = F.softplus(-judge(made if recorder.fixed else made.detach())).mean()
        err_g.backward()
        making.step()
        recorder.log(errD=err_d, errG=err_g)
    return bool((maker(torch.randn(500, 8)).mean(0) - x.mean(0)).norm() < 0.6)


@failing("no-gradient", source="spiking neurons with a bare threshold, through which no gradient passes")
def spiking_without_surrogate(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = Spiking(Spike.apply if recorder.fixed else lambda v: (v > 0).float())
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x))


@failing(*BROKE, source="F.poisson_nll_loss(log_input=False) of outputs that may be negative")
def poisson_of_raw_outputs(recorder: Recorder) -> bool:
    x = torch.randn(1500, 8)
    y = torch.poisson((0.5 * x[:, :1] + 0.3).exp())
    model = dense(8, 32, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)

    def loss_of(i: Tensor) -> Tensor:
        return F.poisson_nll_loss(model(x[i]), y[i], log_input=recorder.fixed, eps=0.0)

    return loop(recorder, model, optimizer, loss_of, len(x), steps=250)


@failing(
    "no-gradient", source="a mixture whose router's start is so large that most experts are never chosen"
)
def experts_never_chosen(recorder: Recorder) -> bool:
    x, y = digit_rows()
    router = nn.Linear(64, 6)
    experts = nn.ModuleList([dense(64, 32, 10) for _ in range(6)])
    if not recorder.fixed:
        nn.init.constant_(router.bias, 0.0)
        router.bias.data[0] = 60.0
    model = nn.ModuleDict({"router": router, "experts": experts})

    def loss_of(i: Tensor) -> Tensor:
        share = router(x[i]).softmax(1)
        top = share.argmax(1)
        out = torch.zeros(len(i), 10)
        for number in top.unique().tolist():
            mine = top == number
            out[mine] = experts[number](x[i][mine]) * share[mine, number, None]
        return F.cross_entropy(out, y[i]) + (0.1 * share.mean(0).pow(2).sum() if recorder.fixed else 0.0)

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), batch=64)


@failing(*BROKE, source="a flow whose log-determinant has the wrong sign: the loss falls without end")
def flow_sign_of_determinant(recorder: Recorder) -> bool:
    x, _ = moons()
    nets = nn.ModuleList([dense(1, 48, 2, activation=nn.Tanh) for _ in range(4)])
    sign = 1.0 if recorder.fixed else -1.0

    def loss_of(i: Tensor) -> Tensor:
        z, log_det = x[i], torch.zeros(len(i))
        for net in nets:
            a, b = z.chunk(2, 1)
            s, t = net(a).chunk(2, 1)
            z, log_det = torch.cat([b * s.exp() + t, a], 1), log_det + s[:, 0]
        return (0.5 * (z**2).sum(1) - sign * log_det).mean()

    return loop(
        recorder, nets, torch.optim.Adam(nets.parameters(), 5e-3), loss_of, len(x), batch=64, steps=400
    )


@failing(*BROKE, "not-learning", "dead-units", source="quantile regression with the rate of another problem")
def quantiles_rate_too_large(recorder: Recorder) -> bool:
    x, y = table()
    model = dense(16, 48, 48, 3)
    levels = torch.tensor([0.1, 0.5, 0.9])
    optimizer = torch.optim.SGD(model.parameters(), 0.05 if recorder.fixed else 60.0, momentum=0.9)

    def loss_of(i: Tensor) -> Tensor:
        over = y[i] - model(x[i])
        return torch.maximum(levels * over, (levels - 1) * over).mean()

    return loop(recorder, model, optimizer, loss_of, len(x), batch=64, steps=300)
