"""Define healthy trainings of other kinds: generators, reinforcement, tables, graphs, physics, unusual methods."""

from __future__ import annotations

import copy
import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import communities, digit_rows, moons, table
from tests.diagnosis.scripts.registry import Recorder, healthy, loop, picks


def dense(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of these widths with the activation between them."""
    model = nn.Sequential(nn.Linear(widths[0], widths[1]))
    for inside, outside in itertools.pairwise(widths[1:]):
        model.append(activation()).append(nn.Linear(inside, outside))
    return model


@healthy("Mao et al. 2017: least-squares GAN on moons; both losses hover")
def least_squares_gan(recorder: Recorder) -> bool:
    x, _ = moons()
    maker, judge = dense(8, 48, 48, 2), dense(2, 48, 48, 1)
    making = torch.optim.Adam(maker.parameters(), 1e-3, betas=(0.5, 0.99))
    judging = torch.optim.Adam(judge.parameters(), 1e-3, betas=(0.5, 0.99))
    recorder.watch({"maker": maker, "judge": judge}, {"maker": making, "judge": judging})
    for i in picks(len(x), 64, 250):
        made = maker(torch.randn(64, 8))
        wrong = ((judge(x[i]) - 1) ** 2).mean() + (judge(made.detach()) ** 2).mean()
        judging.zero_grad()
        wrong.backward()
        judging.step()
        fooled = ((judge(made) - 1) ** 2).mean()
        making.zero_grad()
        fooled.backward()
        making.step()
        recorder.log(errD=wrong, errG=fooled)
    return bool((maker(torch.randn(500, 8)).mean(0) - x.mean(0)).norm() < 0.6)


@healthy("Miyato et al. 2018: spectral norm and hinge losses")
def hinge_gan_spectral(recorder: Recorder) -> bool:
    x, _ = moons()
    normed = torch.nn.utils.parametrizations.spectral_norm
    maker = dense(8, 48, 48, 2)
    judge = nn.Sequential(
        normed(nn.Linear(2, 48)), nn.LeakyReLU(0.1), normed(nn.Linear(48, 48)), nn.LeakyReLU(0.1)
    )
    judge.append(normed(nn.Linear(48, 1)))
    making, judging = torch.optim.Adam(maker.parameters(), 5e-4), torch.optim.Adam(judge.parameters(), 2e-3)
    recorder.watch({"maker": maker, "judge": judge}, {"maker": making, "judge": judging})
    for i in picks(len(x), 64, 300):
        made = maker(torch.randn(64, 8))
        wrong = F.relu(1 - judge(x[i])).mean() + F.relu(1 + judge(made.detach())).mean()
        judging.zero_grad()
        wrong.backward()
        judging.step()
        loss = -judge(made).mean()
        making.zero_grad()
        loss.backward()
        making.step()
        recorder.log(loss_d=wrong, loss_g=loss)
    return True


@healthy(
    "Germain et al. 2015, Papamakarios et al. 2017: density of a table by a mixture; the likelihood passes zero"
)
def mixture_density(recorder: Recorder) -> bool:
    x, y = table()
    model = dense(16, 64, 64, 9)

    def loss_of(i: Tensor) -> Tensor:
        weight, mean, spread = model(x[i]).chunk(3, 1)
        each = torch.distributions.Normal(mean, spread.exp()).log_prob(0.05 * y[i])
        return -(weight.log_softmax(1) + each).logsumexp(1).mean()

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=300)


@healthy("van den Oord et al. 2017: vector quantisation, straight-through gradient, commitment")
def vector_quantised(recorder: Recorder) -> bool:
    x, _ = digit_rows()
    model = nn.ModuleDict({"into": dense(64, 64, 32), "codes": nn.Embedding(32, 8), "out": dense(32, 64, 64)})
    nn.init.normal_(model["codes"].weight, std=0.3)  # type: ignore[arg-type]

    def loss_of(i: Tensor) -> Tensor:
        z = model["into"](x[i]).reshape(len(i), 4, 8)
        near = torch.cdist(z.flatten(0, 1), model["codes"].weight).argmin(1)
        codes = model["codes"](near).reshape_as(z)
        out = model["out"]((z + (codes - z).detach()).flatten(1))
        return F.mse_loss(out, x[i]) + F.mse_loss(codes, z.detach()) + 0.25 * F.mse_loss(z, codes.detach())

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 1e-3), loss_of, len(x), steps=300)


@healthy(
    "Song and Ermon 2019: denoising score matching over noise of many sizes; the loss is large and noisy"
)
def score_matching(recorder: Recorder) -> bool:
    x, _ = moons()
    model = dense(3, 64, 64, 2, activation=nn.SiLU)

    def loss_of(i: Tensor) -> Tensor:
        size, noise = torch.exp(torch.rand(len(i), 1) * 3 - 3), torch.randn(len(i), 2)
        return ((model(torch.cat([x[i] + size * noise, size.log()], 1)) + noise) ** 2).sum(1).mean()

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), batch=128, steps=300
    )


@healthy("Rezende and Mohamed 2015: two planar flows; the loss is a log-likelihood from a base")
def planar_flow(recorder: Recorder) -> bool:
    x, _ = moons()

    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = dense(1, 32, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            size, shift = self.net(x[:, :1]).chunk(2, 1)
            size = torch.tanh(size)
            return torch.cat([x[:, 1:] * size.exp() + shift, x[:, :1]], 1), size[:, 0]

    model = nn.ModuleList([Shift() for _ in range(6)])

    def loss_of(i: Tensor) -> Tensor:
        z, total = x[i], torch.zeros(len(i))
        for flow in model:
            z, size = flow(z)
            total = total + size
        return (0.5 * z**2).sum(1).mean() + math.log(2 * math.pi) - total.mean()

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, len(x), batch=64, steps=300
    )


def bandit(n: int) -> tuple[Tensor, Tensor]:
    """Return states (n, 4) and the better of three actions in each."""
    state = torch.randn(n, 4)
    return state, torch.stack([state[:, 0], state[:, 1] + 0.2, -state[:, 2]], 1).argmax(1)


@healthy(
    "Mnih et al. 2016: actor and critic with one body, entropy bonus; the loss is about zero and negative at times"
)
def advantage_actor_critic(recorder: Recorder) -> bool:
    model = nn.ModuleDict({"body": nn.Linear(4, 64), "policy": nn.Linear(64, 3), "value": nn.Linear(64, 1)})
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    recorder.watch(model, optimizer)
    rewards = []
    for _ in range(300):
        state, best = bandit(64)
        body = torch.tanh(model["body"](state))
        choice = torch.distributions.Categorical(logits=model["policy"](body))
        action, value = choice.sample(), model["value"](body)[:, 0]
        reward = (action == best).float()
        gain = reward - value
        loss = (-choice.log_prob(action) * gain.detach() + 0.5 * gain**2 - 0.01 * choice.entropy()).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        recorder.log(loss=loss)
        rewards.append(float(reward.mean()))
    return sum(rewards[-30:]) > sum(rewards[:30]) + 5


@healthy(
    "Schulman et al. 2017: PPO's clipped objective, four epochs over each batch; the loss starts at zero each time"
)
def proximal_policy(recorder: Recorder) -> bool:
    model = dense(4, 64, 3, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    rewards = []
    for _ in range(60):
        state, best = bandit(128)
        with torch.no_grad():
            old = torch.distributions.Categorical(logits=model(state))
            action = old.sample()
        reward = (action == best).float()
        gain = (reward - reward.mean()) / (reward.std() + 1e-6)
        for _ in range(4):
            ratio = (
                torch.distributions.Categorical(logits=model(state)).log_prob(action) - old.log_prob(action)
            ).exp()
            loss = -torch.min(ratio * gain, ratio.clamp(0.8, 1.2) * gain).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            recorder.log(loss=loss)
        rewards.append(float(reward.mean()))
    return sum(rewards[-6:]) > sum(rewards[:6]) + 1


@healthy(
    "Haarnoja et al. 2018 in spirit: a critic after a moving target, whose loss grows with the values it learns"
)
def temporal_difference(recorder: Recorder) -> bool:
    model, optimizer_rate = dense(2, 64, 64, 1), 1e-3
    target = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), optimizer_rate)
    recorder.watch(model, optimizer)
    for _ in range(300):
        state = torch.rand(64, 2) * 2 - 1
        following = (state * 0.9 + 0.1 * torch.randn(64, 2)).clamp(-1, 1)
        with torch.no_grad():
            wanted = 1 - state.norm(dim=1, keepdim=True) + 0.95 * target(following)
        loss = F.smooth_l1_loss(model(state), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(target.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 0.02)
        recorder.log(loss=loss)
    return bool(model(torch.zeros(1, 2)).item() > model(torch.ones(1, 2)).item())


@healthy("Raissi et al. 2019: a differential equation as loss, double backward, tanh")
def physics_informed(recorder: Recorder) -> bool:
    model = dense(1, 32, 32, 1, activation=nn.Tanh)

    def loss_of(i: Tensor) -> Tensor:
        at = (torch.rand(64, 1) * 3).requires_grad_()
        value = model(at)
        (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)
        return ((slope + value) ** 2).mean() + ((model(torch.zeros(1, 1)) - 1) ** 2).mean()

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 3e-3), loss_of, 64, batch=64, steps=300)


@healthy("Veličković et al. 2018: graph attention over a whole graph, dropout on the links")
def graph_attention(recorder: Recorder) -> bool:
    links, x, y = communities()

    class Attention(nn.Module):
        def __init__(self, inside: int, outside: int) -> None:
            super().__init__()
            self.into, self.score = nn.Linear(inside, outside, bias=False), nn.Linear(outside, 2)

        def forward(self, x: Tensor) -> Tensor:
            z = self.into(x)
            a, b = self.score(z).unbind(1)
            scores = F.leaky_relu(a[:, None] + b[None]).masked_fill(links == 0, -1e9)
            return F.dropout(scores.softmax(1), 0.1, self.training) @ z

    model = nn.Sequential(Attention(8, 32), nn.ELU(), Attention(32, 3))
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 1e-2),
        lambda _: F.cross_entropy(model(x), y),
        len(x),
        batch=120,
        steps=150,
    )


@healthy("Gorishniy et al. 2021: a residual net for tables, with quantile losses")
def table_quantiles(recorder: Recorder) -> bool:
    x, y = table()

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Sequential(
                nn.LayerNorm(48), nn.Linear(48, 96), nn.ReLU(), nn.Dropout(0.1), nn.Linear(96, 48)
            )

        def forward(self, x: Tensor) -> Tensor:
            return x + self.inside(x)

    model = nn.Sequential(nn.Linear(16, 48), Block(), Block(), nn.LayerNorm(48), nn.ReLU(), nn.Linear(48, 3))
    levels = torch.tensor([0.1, 0.5, 0.9])

    def loss_of(i: Tensor) -> Tensor:
        wrong = y[i] - model(x[i])
        return torch.maximum(levels * wrong, (levels - 1) * wrong).mean()

    return loop(recorder, model, torch.optim.AdamW(model.parameters(), 2e-3), loss_of, len(x), steps=300)


@healthy("Targets of size 1,000 that nobody scaled: the loss starts at a million and falls")
def unscaled_targets(recorder: Recorder) -> bool:
    x, y = table()
    model = dense(16, 64, 64, 1)
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 3e-2),
        lambda i: F.mse_loss(model(x[i]), 1000 + 300 * y[i]),
        len(x),
        steps=300,
    )


@healthy("Burges et al. 2005: ranking of pairs by a logistic loss")
def pairwise_ranking(recorder: Recorder) -> bool:
    x, y = table()
    model = dense(16, 48, 1)

    def loss_of(i: Tensor) -> Tensor:
        a, b = i.chunk(2)
        return F.softplus(-torch.sign(y[a] - y[b]) * (model(x[a]) - model(x[b]))).mean()

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), batch=64, steps=250
    )


@healthy("He et al. 2017: factors of users and things, ten negatives for each positive")
def factorisation(recorder: Recorder) -> bool:
    taste, kind = torch.randn(80, 4), torch.randn(60, 4)
    likes = (taste @ kind.T > 1).float()
    model = nn.ModuleDict({"user": nn.Embedding(80, 8), "thing": nn.Embedding(60, 8)})

    def loss_of(_: Tensor) -> Tensor:
        user, thing = torch.randint(80, (256,)), torch.randint(60, (256,))
        scores = (model["user"](user) * model["thing"](thing)).sum(1)
        return F.binary_cross_entropy_with_logits(scores, likes[user, thing])

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-2), loss_of, 256, batch=256, steps=250
    )


@healthy("Finn et al. 2017 in spirit: an inner step inside the loss, second derivatives")
def meta_learning(recorder: Recorder) -> bool:
    model = dense(1, 32, 1, activation=nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    recorder.watch(model, optimizer)
    for _ in range(150):
        optimizer.zero_grad()
        total = torch.zeros(())
        for _ in range(4):
            phase, size = 3 * torch.rand(()), 1 + torch.rand(())
            x = torch.rand(20, 1) * 4 - 2
            y = size * torch.sin(x + phase)
            weights = dict(model.named_parameters())
            inner = F.mse_loss(torch.func.functional_call(model, weights, (x[:10],)), y[:10])
            slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
            moved = {name: w - 0.05 * g for (name, w), g in zip(weights.items(), slopes, strict=True)}
            total = total + F.mse_loss(torch.func.functional_call(model, moved, (x[10:],)), y[10:])
        (total / 4).backward()
        optimizer.step()
        recorder.log(loss=total / 4)
    return recorder.fell()


@healthy("Restarts of a cosine schedule: at each the loss rises for some steps")
def warm_restarts(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 60)
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=300,
        scheduler=schedule,
    )


@healthy("Gradient accumulation over eight batches, the last of which steps; the loss is a sum, not a mean")
def accumulated_sum(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 3e-4, momentum=0.9)
    recorder.watch(model, optimizer)
    for number, i in enumerate(picks(len(x), 16, 1200)):
        loss = F.cross_entropy(model(x[i]), y[i], reduction="sum")
        loss.backward()
        if number % 8 == 7:
            optimizer.step()
            optimizer.zero_grad()
        recorder.log(loss=loss)
    return recorder.fell()


@healthy("A perceptron that is at its floor after a few steps, and trains on for 400 more")
def long_at_its_floor(recorder: Recorder) -> bool:
    x, y = moons()
    model = dense(2, 32, 32, 2)
    return loop(
        recorder,
        model,
        torch.optim.Adam(model.parameters(), 1e-2),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        batch=64,
        steps=600,
    )


@healthy("A probe of a frozen, random net: only the last layer is trained")
def linear_probe(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 128, 128, 10)
    for layer in list(model)[:-1]:
        layer.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3e-3)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=200)


@healthy("Every tenth step evaluates in between, under no_grad, with other data")
def evaluated_in_between(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    for number, i in enumerate(picks(len(x) - 300, 32, 200)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if number % 10 == 0:
            model.eval()
            with torch.no_grad():
                recorder.log(val_loss=F.cross_entropy(model(x[-300:]), y[-300:]))
            model.train()
    return recorder.fell()
