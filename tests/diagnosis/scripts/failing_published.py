"""Define failing trainings with faults that people have published: forum questions, benchmarks, reports.

Each is written anew from the description of its fault, with other nets and data.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.diagnosis.scripts.examples import brackets, digit_images, digit_rows, moons, sums, table
from tests.diagnosis.scripts.failing_known import small_convolutions
from tests.diagnosis.scripts.healthy_others import dense
from tests.diagnosis.scripts.registry import BROKE, STILL, Recorder, failing, loop, picks


@failing(
    "dead-units",
    "no-gradient",
    "not-learning",
    source="Islam et al. 2019: a ReLU after the last layer of a classifier, whose scores start below zero",
)
def relu_after_scores(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 10)
    if not recorder.fixed:
        nn.init.constant_(model[-1].bias, -3.0)  # type: ignore[arg-type]
        model.append(nn.ReLU())
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


@failing(
    *STILL,
    "vanishing",
    source="Islam et al. 2019: a softmax over a single unit in a classifier of two classes",
)
def softmax_over_one(recorder: Recorder) -> bool:
    x, y = moons()
    model = dense(2, 32, 1)
    likely = torch.sigmoid if recorder.fixed else lambda z: z.softmax(1)

    def loss_of(i: Tensor) -> Tensor:
        return F.binary_cross_entropy(likely(model(x[i])).clamp(1e-6, 1 - 1e-6), y[i, None].float())

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 1e-2), loss_of, len(x), batch=64, steps=300
    )


@failing(
    "not-learning",
    "saturated",
    "vanishing",
    "no-gradient",
    source="Zhang et al. 2021: inputs of 0 to 255 in a net of sigmoids",
)
def pixels_into_sigmoids(recorder: Recorder) -> bool:
    x, y = digit_rows()
    x = x if recorder.fixed else (x - x.min()) * 600
    model = dense(64, 48, 48, 48, 10, activation=nn.Sigmoid)
    rate = 0.005 if recorder.fixed else 1e-3
    optimizer = (
        torch.optim.Adam(model.parameters(), rate)
        if recorder.fixed
        else torch.optim.SGD(model.parameters(), 0.01)
    )
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=300)


@failing(
    "not-learning",
    "no-gradient",
    source="forum: the loss is computed from the classes that were chosen (argmax), not from scores",
)
def loss_of_choices(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 10)
    unused = nn.Parameter(torch.zeros(()))
    model.register_parameter("scale", unused)

    def loss_of(i: Tensor) -> Tensor:
        scores = model(x[i])
        if recorder.fixed:
            return F.cross_entropy(scores * (1 + unused), y[i])
        return ((scores.argmax(1) - y[i]).float() ** 2).mean() + 0 * unused

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=250)


@failing(
    "not-learning",
    "no-gradient",
    source="forum: a new leaf is made of the loss (`requires_grad_()` on a detached copy)",
)
def loss_as_new_leaf(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 10)

    def loss_of(i: Tensor) -> Tensor:
        loss = F.cross_entropy(model(x[i]), y[i])
        return loss if recorder.fixed else loss.detach().clone().requires_grad_()

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), steps=250)


@failing(
    *STILL, source="forum: only the norms' parameters were handed to the optimizer by a wrong filter of names"
)
def only_norms_are_trained(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = nn.Sequential(
        nn.Linear(64, 48), nn.LayerNorm(48), nn.Sigmoid(), nn.Linear(48, 48), nn.LayerNorm(48)
    )
    model.append(nn.Sigmoid()).append(nn.Linear(48, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.requires_grad_(recorder.fixed)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        parameters, 0.1 if recorder.fixed else 1e-4, momentum=0.9 if recorder.fixed else 0.0
    )
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=250)


@failing("nonfinite", source="Wardat et al. 2021: a logarithm of a softmax by hand, without a bound")
def log_of_softmax(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 64, 10)
    start = torch.optim.SGD(model.parameters(), 0.05 if recorder.fixed else 0.3, momentum=0.9)
    scale = 1.0 if recorder.fixed else 40.0

    def loss_of(i: Tensor) -> Tensor:
        likely = (scale * model(x[i])).softmax(1)
        chosen = likely[torch.arange(len(i)), y[i]]
        return -(chosen.clamp_min(1e-6) if recorder.fixed else chosen).log().mean()

    return loop(recorder, model, start, loss_of, len(x), steps=250)


@failing("nonfinite", source="a division by a count that is zero in some batches")
def division_by_nothing(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 48, 10)

    def loss_of(i: Tensor) -> Tensor:
        rare = (y[i] == 7).float()
        each = F.cross_entropy(model(x[i]), y[i], reduction="none")
        count = rare.sum().clamp_min(1) if recorder.fixed else rare.sum()
        return each.mean() + (each * rare).sum() / count

    return loop(
        recorder, model, torch.optim.Adam(model.parameters(), 2e-3), loss_of, len(x), batch=8, steps=300
    )


@failing(
    *BROKE,
    source="forum: a policy whose log-likelihood is pushed down without bound (a constant negative return)",
)
def likelihood_pushed_down(recorder: Recorder) -> bool:
    model = dense(4, 48, 3, activation=nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    recorder.watch(model, optimizer)
    hits = []
    for _ in range(300):
        state = torch.randn(64, 4)
        choice = torch.distributions.Categorical(logits=model(state))
        action = choice.sample()
        hit = (action == state[:, :3].argmax(1)).float()
        gain = hit - hit.mean() if recorder.fixed else torch.full_like(hit, -1.0)
        loss = -(choice.log_prob(action) * gain).mean() if recorder.fixed else (choice.logits[:, 0]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        hits.append(float(hit.mean()))
    return sum(hits[-30:]) > sum(hits[:30]) + 3


@failing(
    *BROKE,
    "not-learning",
    "saturated",
    source="Goodfellow et al. 2016: the rate of Adam at 0.3 after a hundred sound steps (a wrong resume)",
)
def rate_jumps_later(recorder: Recorder) -> bool:
    x, y = digit_images()
    model = small_convolutions(nn.Tanh)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    recorder.watch(model, optimizer)
    for number, i in enumerate(picks(len(x), 32, 300)):
        if number == 100 and not recorder.fixed:
            optimizer.param_groups[0]["lr"] = 1.0
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing(
    "not-learning",
    "unstable-loss",
    "exploding",
    source="forum: the classes come one after the other, a thousand examples each",
)
def classes_one_by_one(recorder: Recorder) -> bool:
    x, y = digit_rows()
    order = torch.argsort(y)
    model = dense(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), 0.2, momentum=0.0 if recorder.fixed else 0.9)
    recorder.watch(model, optimizer)
    for number, shuffled in enumerate(picks(len(x), 32, 300)):
        i = shuffled if recorder.fixed else order[number * 32 % (len(x) - 32) :][:32]
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
    return recorder.fell()


@failing(
    "not-learning",
    "no-gradient",
    source="Schroff et al. 2015: all embeddings collapse to one point, and the triplet loss stays at its margin",
)
def triplets_collapse(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, 64, 16)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3 if recorder.fixed else 0.3)

    def loss_of(i: Tensor) -> Tensor:
        z = model(x[i])
        if recorder.fixed:
            z = F.normalize(z, dim=1)
        else:
            z = 1e-4 * z / (1 + z.norm(dim=1, keepdim=True))
        far = torch.cdist(z, z)
        same = y[i][:, None] == y[i][None]
        positive = far.masked_fill(~same, -1).amax(1)
        negative = far.masked_fill(same, 1e9).amin(1)
        return F.relu(positive - negative + 0.2).mean()

    return loop(recorder, model, optimizer, loss_of, len(x), batch=64, steps=250)


@failing(
    "not-optimized",
    "not-learning",
    "no-gradient",
    source="forum: layers kept in a plain list are not parameters of the model, so that the optimizer has none of them",
)
def layers_in_a_list(recorder: Recorder) -> bool:
    x, y = digit_rows()

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = [nn.Linear(64, 64), nn.Linear(64, 64)]
            self.layers = nn.ModuleList(layers) if recorder.fixed else layers
            self.out = nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = torch.sigmoid(layer(x)) if not recorder.fixed else F.relu(layer(x))
            return self.out(x)

    model = Net()
    for layer in model.layers:
        if not recorder.fixed:
            nn.init.normal_(layer.weight, std=1e-3)
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.1),
        lambda i: F.cross_entropy(model(x[i]), y[i]),
        len(x),
        steps=250,
    )


@failing(
    "vanishing",
    "saturated",
    "not-learning",
    source="Hochreiter 1991: a plain recurrent net of sigmoids whose answer is the first of sixteen symbols",
)
def sigmoid_through_time(recorder: Recorder) -> bool:
    x, _ = brackets()
    y = x[:, 0] % 2
    cell = nn.LSTMCell(8, 24) if recorder.fixed else nn.Linear(32, 24)
    model = nn.ModuleDict({"cell": cell, "out": nn.Linear(24, 2)})

    def loss_of(i: Tensor) -> Tensor:
        inputs = F.one_hot(x[i], 8).float()
        state, memory = torch.zeros(len(i), 24), torch.zeros(len(i), 24)
        for step in inputs.unbind(1):
            if recorder.fixed:
                state, memory = cell(step, (state, memory))
            else:
                state = torch.sigmoid(cell(torch.cat([step, state], 1)))
        return F.cross_entropy(model["out"](state), y[i])

    return loop(recorder, model, torch.optim.Adam(model.parameters(), 5e-3), loss_of, len(x), steps=500)


@failing(
    *BROKE,
    "not-learning",
    source="forum: cross-entropy of a language model as a sum instead of a mean, SGD 0.5",
)
def summed_loss(recorder: Recorder) -> bool:
    x, y = sums()
    symbols, time, out = nn.Embedding(10, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, 10)
    model = nn.ModuleDict({"symbols": symbols, "time": time, "out": out})
    kind = "mean" if recorder.fixed else "sum"
    optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(out(time(symbols(x[i]))[0]).flatten(0, 1), y[i].flatten(), reduction=kind),
        len(x),
        steps=250,
    )


@failing(*BROKE, source="Schoenholz et al. 2017: a deep tanh net in the chaotic phase, SGD")
def chaotic_tanh(recorder: Recorder) -> bool:
    x, y = digit_rows()
    model = dense(64, *[64] * 24, 10, activation=nn.Tanh)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=(1.0 if recorder.fixed else 2.5) / layer.in_features**0.5)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    return loop(recorder, model, optimizer, lambda i: F.cross_entropy(model(x[i]), y[i]), len(x), steps=250)


@failing(
    "vanishing",
    "not-learning",
    source="Yang et al. 2019 turned round: a transformer after its norm at thirty layers without warm-up",
)
def post_norm_thirty(recorder: Recorder) -> bool:
    x, y = sums()

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # A norm that is not used would be a second fault.
            self.norm = nn.LayerNorm(32) if recorder.fixed else nn.Identity()
            self.inside = dense(32, 64, 32)

        def forward(self, x: Tensor) -> Tensor:
            past = x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]
            if recorder.fixed:
                return x + self.inside(self.norm(x + past))
            return torch.sigmoid(self.inside(x + past))

    model = nn.Sequential(nn.Embedding(10, 32), *[Layer() for _ in range(14)], nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    if recorder.fixed:
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)  # type: ignore[assignment]
    return loop(
        recorder,
        model,
        optimizer,
        lambda i: F.cross_entropy(model(x[i]).flatten(0, 1), y[i].flatten()),
        len(x),
        steps=150,
    )


@failing(
    "overclipped",
    "not-learning",
    source="forum: gradients are clipped before `backward`, then once more to 1e-8 by a wrong unit",
)
def clipped_in_wrong_unit(recorder: Recorder) -> bool:
    x, y = table()
    model = dense(16, 48, 1)
    return loop(
        recorder,
        model,
        torch.optim.SGD(model.parameters(), 0.05),
        lambda i: F.mse_loss(model(x[i]), y[i]),
        len(x),
        steps=250,
        clip=5.0 if recorder.fixed else 1e-8,
    )


@failing(*BROKE, source="a GAN whose judge is trained at a rate of 5: its loss runs away")
def judge_runs_away(recorder: Recorder) -> bool:
    x, _ = moons()
    maker, judge = dense(8, 48, 2), dense(2, 48, 48, 1)
    making = torch.optim.Adam(maker.parameters(), 1e-3)
    judging = torch.optim.SGD(judge.parameters(), 0.05 if recorder.fixed else 20.0)
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
    return True
