"""Without a logged loss, the scalar on which a script calls `backward()` is the loss of its step."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import checkpoint

import gradtui
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.diagnosis.reading import evidence_of
from gradtui.monitor.gradients import BackwardHook
from gradtui.monitor.loss_kind import known_loss
from gradtui.monitor.watch import Probe
from gradtui.runs.reader import Run

pytestmark = pytest.mark.usefixtures("home")
Opened = Callable[[Probe], Run]


def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(8, 3)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(4, 8), torch.randint(0, 3, (4,))


def loss_of(model: nn.Module) -> torch.Tensor:
    x, y = batch()
    return F.cross_entropy(model(x), y)


def test_every_step_has_the_loss_of_its_pass_and_guessing_is_known(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe, losses = gradtui.watch(model, optimizer), []
    for _ in range(120):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    run = opened(probe)
    steps, values = run.scalars("loss")
    np.testing.assert_array_equal(steps, np.arange(1, 121))
    np.testing.assert_allclose(values, losses, rtol=1e-6)
    assert run.meta is not None
    assert run.meta.chance_loss == pytest.approx(np.log(3))
    assert run.meta.data["loss_kind"] == "bounded"


@pytest.mark.parametrize("before_step", [True, False])
def test_a_logged_loss_counts_instead(opened: Opened, before_step: bool) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for step in range(6):
        optimizer.zero_grad()
        loss_of(model).backward()
        if before_step:
            probe.log(loss=step + 10.0)
        optimizer.step()
        if not before_step:
            probe.log(loss=step + 10.0)
    run = opened(probe)
    np.testing.assert_allclose(run.scalars("loss")[1], np.arange(6) + 10.0)
    assert run.scalar_names.count("loss") == 1
    assert run.meta is not None
    assert run.meta.chance_loss is None


@pytest.mark.parametrize("before_step", [True, False])
@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_the_graph_tells_of_a_logged_loss_where_it_is_the_same_number(
    opened: Opened, before_step: bool, penalty: float
) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(6):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        logged = loss.detach() + penalty
        if before_step:
            probe.log(loss=logged)
        optimizer.step()
        if not before_step:
            probe.log(loss=logged)
    evidence = evidence_of(opened(probe))
    known = (evidence.loss_kind, evidence.chance_loss)
    if penalty:
        assert known == ("", pytest.approx(np.nan, nan_ok=True))
    else:
        assert known == ("bounded", pytest.approx(np.log(3)))


def test_the_passes_of_one_step_are_averaged(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe, means = gradtui.watch(model, optimizer, budget=None), []
    for _ in range(5):
        optimizer.zero_grad()
        losses = [loss_of(model) / 4 for _ in range(4)]
        for loss in losses:
            loss.backward()
        optimizer.step()
        means.append(torch.stack(losses).mean().item())
    run = opened(probe)
    np.testing.assert_allclose(run.scalars("loss")[1], means, rtol=1e-6)
    assert run.meta is not None
    assert run.meta.chance_loss == pytest.approx(np.log(3) / 4)


def test_the_factor_of_a_scaler_is_taken_out(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    probe, losses = gradtui.watch(model, optimizer, budget=None), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = loss_of(model)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    run = opened(probe)
    np.testing.assert_allclose(run.scalars("loss")[1], losses, rtol=1e-5)
    assert run.meta is not None
    assert run.meta.chance_loss == pytest.approx(np.log(3))


def test_the_two_losses_of_a_gan_are_not_the_loss(opened: Opened) -> None:
    models = {"g": nn.Linear(2, 8), "d": nn.Linear(8, 1)}
    g, d = models["g"], models["d"]
    optimizers = {label: torch.optim.SGD(model.parameters(), 0.1) for label, model in models.items()}
    probe = gradtui.watch(models, optimizers, budget=None)
    for _ in range(6):
        optimizers["d"].zero_grad()
        (d(g(torch.randn(4, 2)).detach()).mean() - d(torch.randn(4, 8)).mean()).backward()
        optimizers["d"].step()
        optimizers["g"].zero_grad()
        (-d(g(torch.randn(4, 2))).mean()).backward()
        optimizers["g"].step()
    assert "loss" not in opened(probe).scalar_names


def test_two_optimizers_of_one_pass_share_its_loss(opened: Opened) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3))
    optimizers = [torch.optim.SGD(part.parameters(), 0.1) for part in model]
    probe, losses = gradtui.watch(model, optimizers, budget=None), []
    for _ in range(4):
        model.zero_grad()
        loss = loss_of(model)
        loss.backward(retain_graph=True)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(opened(probe).scalars("loss")[1], losses, rtol=1e-6)


def test_a_closure_has_the_loss_of_its_first_pass(opened: Opened) -> None:
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    probe, first = gradtui.watch(model, optimizer, budget=None), []
    for _ in range(3):
        x, y = batch()

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> float:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss.item()

        first.append(optimizer.step(closure))
    np.testing.assert_allclose(opened(probe).scalars("loss")[1], first, rtol=1e-6)


def test_passes_are_seen_where_the_first_and_the_last_parameter_are_unused(opened: Opened) -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({name: nn.Linear(4, 4) for name in ("unused", "body", "head", "other")})
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    probe = gradtui.watch(model, optimizer, budget=None)
    losses, norms = [], []
    for _ in range(6):
        optimizer.zero_grad()
        loss = (model["head"](model["body"](torch.randn(8, 4)).relu()) - 1).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), 0.01)))
        optimizer.step()
    run = opened(probe)
    # The hooks are moved after the first step, of which only the optimizer tells.
    assert run.scalars("loss")[0].tolist() == [2, 3, 4, 5, 6]
    np.testing.assert_allclose(run.scalars("loss")[1], losses[1:], rtol=1e-6)
    np.testing.assert_allclose(run.scalars("grad_norm")[1][1:], norms[1:], rtol=1e-5)
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())


@pytest.mark.parametrize("way", ["vector", "weighted", "grad", "two"])
def test_nothing_is_claimed_of_other_roots(opened: Opened, way: str) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(4):
        optimizer.zero_grad()
        out = model(torch.randn(4, 8))
        if way == "vector":
            out.backward(torch.ones_like(out))
        elif way == "weighted":
            out.sum().backward(torch.tensor(3.0))
        elif way == "two":
            torch.autograd.backward([out.sum(), out.mean()])
        else:
            for p, gradient in zip(
                model.parameters(), torch.autograd.grad(out.sum(), list(model.parameters())), strict=True
            ):
                p.grad = gradient
        optimizer.step()
    assert "loss" not in opened(probe).scalar_names


def test_backward_is_torchs_own_again_after_close_and_errors_pass_through() -> None:
    before, model = torch.autograd.backward, net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    other = net()
    probe, second = gradtui.watch(model, optimizer), gradtui.watch(other)
    assert torch.autograd.backward is not before
    assert torch.autograd.backward._torchdynamo_disable  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.zeros(()).backward()
    probe.close()
    assert torch.autograd.backward is not before
    second.close()
    assert torch.autograd.backward is before


def test_a_wrapper_of_another_library_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    probe, calls = gradtui.watch(net()), []
    ours = torch.autograd.backward

    def theirs(*args: object, **kwargs: object) -> None:
        calls.append(1)
        ours(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.autograd, "backward", theirs)
    probe.close()
    assert torch.autograd.backward is theirs
    x = torch.ones((), requires_grad=True)
    (x * 2).backward()
    assert x.grad is not None
    assert float(x.grad) == 2
    assert calls == [1]


def test_passes_of_several_threads_are_not_mixed_up(opened: Opened) -> None:
    model, other = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe, losses = gradtui.watch(model, optimizer, budget=None), []
    stop = threading.Event()

    def beside() -> None:
        while not stop.is_set():
            (loss_of(other) + 100).backward()

    thread = threading.Thread(target=beside)
    thread.start()
    for _ in range(50):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    stop.set()
    thread.join()
    run = opened(probe)
    if "loss" in run.scalar_names:
        steps, values = run.scalars("loss")
        np.testing.assert_allclose(values, np.array(losses)[steps - 1], rtol=1e-6)


def test_a_pass_of_another_thread_replaces_no_hook_that_may_be_running(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other, renewed = net(), net(), []
    renew = BackwardHook.renew
    monkeypatch.setattr(BackwardHook, "renew", lambda self: (renewed.append(1), renew(self)))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    within: list[int] = []

    def beside(gradient: torch.Tensor) -> None:
        before = len(renewed)
        thread = threading.Thread(target=lambda: loss_of(other).backward())
        thread.start()
        thread.join()
        within.append(len(renewed) - before)

    loss = loss_of(model)
    loss.register_hook(beside)
    loss.backward()
    probe.close()
    assert renewed
    assert within == [0]


def test_a_pass_that_is_not_wanted_is_asked_about_once_and_again_after_a_step_within_it() -> None:
    model, asked, steps = net(), [], []
    hook = BackwardHook(
        [lambda: model.weight, lambda: model.bias],  # type: ignore[list-item]
        lambda: None,
        lambda: asked.append(1),  # type: ignore[arg-type, return-value, func-returns-value]
    )
    for _ in range(3):
        loss_of(model).backward()
    assert len(asked) == 3

    def steps_within(parameter: torch.Tensor) -> None:
        steps.append(1)
        hook.forget_pass()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(steps_within)
    loss_of(model).backward()
    assert len(steps) == 2
    assert len(asked) == 5
    hook.remove()


def test_the_training_is_the_same_bit_for_bit() -> None:
    def weights(watched: bool) -> torch.Tensor:
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        probe = gradtui.watch(model, optimizer) if watched else None
        for _ in range(30):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()
        if probe is not None:
            probe.close()
        return nn.utils.parameters_to_vector(model.parameters()).detach()

    assert torch.equal(weights(watched=True), weights(watched=False))


def test_the_graph_tells_the_kind_of_a_loss() -> None:
    scores, target = torch.randn(4, 5, requires_grad=True), torch.tensor([0, 1, 2, 3])
    error = F.cross_entropy(scores, target)
    assert known_loss(error * 2).chance == pytest.approx(2 * np.log(5))
    assert known_loss(-1 * error).kind == "free"
    assert known_loss(error + error).kind == ""
    assert known_loss(F.mse_loss(scores, torch.zeros(4, 5))).kind == "bounded"
    assert known_loss(((scores - 1) ** 2).mean()).kind == "bounded"
    assert known_loss(F.nll_loss(scores, target)).kind == ""


def test_the_graph_tells_what_the_same_answer_to_every_example_gives() -> None:
    torch.manual_seed(0)
    scores, values = (
        torch.zeros(2000, 3, requires_grad=True),
        torch.randn(2000, 3) * torch.tensor([1.0, 2.0, 0.0]),
    )
    # An oracle of its own: the answer is fitted.
    answer = values.mean(0).expand(2000, 3)
    known = known_loss(F.mse_loss(scores, values) / 4)
    assert known.constant is not None
    assert float(known.constant) == pytest.approx(float(F.mse_loss(answer, values)) / 4, rel=1e-3)
    shares = torch.tensor([0.9, 0.07, 0.03])
    classes = torch.multinomial(shares, 2000, replacement=True)
    best = F.cross_entropy((classes.bincount() / 2000).log().expand(2000, 3), classes)
    known = known_loss(F.cross_entropy(scores, classes))
    assert known.constant is not None
    assert float(known.constant) == pytest.approx(float(best), abs=2e-3)
    weighted = known_loss(F.cross_entropy(scores, classes, weight=torch.ones(3)))
    rare = known_loss(F.cross_entropy(scores[:20], classes[:20] * 0 + torch.arange(20) % 3))
    one = known_loss(F.mse_loss(scores[:1], values[:1]))
    summed = known_loss(F.mse_loss(scores, values, reduction="sum"))
    kept = checkpoint.checkpoint(lambda s: F.mse_loss(s, values), scores, use_reentrant=False)
    assert [known.constant for known in (weighted, rare, one, summed, known_loss(kept))] == [None] * 5


BY_HAND: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a square": lambda p, y: ((p - y) ** 2).mean(),
    "a square the other way round": lambda p, y: (y - p).pow(2).mean(),
    "half the sum of squares": lambda p, y: 0.5 * ((p - y) ** 2).sum(),
    "a product": lambda p, y: (lambda d: (d * d).mean())(p - y),
    "one column": lambda p, y: ((p[:, -1] - y[:, 0]) ** 2).mean(),
    "flat": lambda p, y: (p.squeeze(1) - y.squeeze(1)).square().mean(),
    "a root": lambda p, y: F.mse_loss(p, y).sqrt(),
    "a size": lambda p, y: (p - y).abs().mean(),
    "torch's own size": lambda p, y: F.l1_loss(p, y),
    "a smooth one": lambda p, y: ((p.sigmoid() - y) ** 2).sum(1).mean(),
}
TWO_CLASSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "torch's own": F.binary_cross_entropy_with_logits,
    "of shares": lambda p, y: F.binary_cross_entropy(p.sigmoid(), y),
    "by hand": lambda p, y: -(y * p.sigmoid().log() + (1 - y) * (1 - p.sigmoid()).log()).mean(),
    "two signs": lambda p, y: (-y * F.logsigmoid(p) - (1 - y) * F.logsigmoid(-p)).sum() / 10,
    "clamped": lambda p, y: (
        -(y * p.sigmoid().clamp(1e-6, 1).log() + (1 - y) * (1 - p.sigmoid() + 1e-7).log()).mean()
    ),
}


@pytest.mark.parametrize(
    ("loss", "of_classes"),
    [
        *(pytest.param(loss, False, id=name) for name, loss in BY_HAND.items()),
        *(pytest.param(loss, True, id=name) for name, loss in TWO_CLASSES.items()),
    ],
)
def test_a_loss_by_hand_is_known_and_its_constant_answer_is_one_that_is_fitted(
    loss: Callable[[Tensor, Tensor], Tensor], of_classes: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(500, 6)
    y = (torch.rand(500, 1) < 0.3).float() if of_classes else torch.rand(500, 1) ** 2
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    known = known_loss(loss(model(x), y))
    assert known.kind == "bounded"
    assert known.examples == 500
    # The oracle: the bias alone is trained.
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([bias], 0.05)
    for _ in range(400):
        optimizer.zero_grad()
        fitted = loss(bias.expand(500, 1), y)
        fitted.backward()
        optimizer.step()
    assert known.constant is not None
    assert float(known.constant) == pytest.approx(float(fitted.detach()), rel=0.01)


def test_an_answer_that_is_spread_over_all_targets_has_the_constant_answer_of_all() -> None:
    torch.manual_seed(0)
    x, y, model = torch.randn(80, 6), torch.randn(80), nn.Linear(6, 1)
    known = known_loss(((model(x) - y) ** 2).mean())
    assert known.constant is not None
    assert float(known.constant) == pytest.approx(float(y.var()), rel=0.03)


def test_the_terms_of_a_loss_are_counted_and_a_graph_of_any_form_is_no_error() -> None:
    p, y = torch.randn(9, 4, requires_grad=True), torch.randn(9, 4)
    near = F.mse_loss(p, y)
    assert known_loss(near).terms == 1
    assert known_loss(near + 0.25 * p.abs().mean()).terms == 2
    assert known_loss((near - p.mean() + 3.0) / 2 + p.exp().mean()).terms == 3
    assert known_loss(torch.stack([near, p.mean()]).sum()).terms == 2
    assert known_loss(((p - y) ** 2 + p.exp()).sum(1).mean()).terms == 2
    odd = [
        p.sum(),
        p.logsumexp(0).max(),
        (p[:, -2] * p[:, 0]).mean(),
        ((p @ p.T - 1) ** 2).mean(),
        -p.sqrt().sum(),
    ]
    assert all(known_loss(loss).constant is None for loss in odd)


@pytest.mark.parametrize("where", [1, -1])
@pytest.mark.parametrize(
    "loss", [F.mse_loss, F.smooth_l1_loss, F.huber_loss, lambda p, y: (p - y).pow(2).mean() / 2]
)
def test_the_targets_of_chosen_answers_are_known(
    loss: Callable[[Tensor, Tensor], Tensor], where: int
) -> None:
    torch.manual_seed(0)
    model, wanted = nn.Linear(6, 3), 5 + 2 * torch.randn(400, 1)
    chosen = model(torch.randn(400, 6)).gather(where, torch.randint(0, 3, (400, 1)))
    targets = known_loss(loss(chosen, wanted)).targets
    assert targets is not None
    assert [float(number) for number in targets] == pytest.approx(
        [float(wanted.mean()), float(wanted.var())], rel=1e-4
    )


@pytest.mark.parametrize("logs", [True, False])
def test_how_far_the_targets_of_a_script_have_moved_is_kept(opened: Opened, logs: bool) -> None:
    torch.manual_seed(0)
    model, every = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    probe = gradtui.watch(model, optimizer, budget=None)
    for step in range(40):
        every.append(step + 3 * torch.randn(64, 1))
        optimizer.zero_grad()
        loss = F.mse_loss(model(torch.randn(64, 4)), every[-1])
        loss.backward()
        optimizer.step()
        if logs:
            probe.log(loss=loss)
    first, newest = torch.stack(every[:8]), torch.stack(every[-8:])
    moved = (newest.var(1).mean() + (newest.mean() - first.mean()) ** 2) / first.var(1).mean()
    assert evidence_of(opened(probe)).target_growth == pytest.approx(float(moved), rel=1e-3)


@pytest.mark.parametrize("logs", [True, False])
@pytest.mark.parametrize("connected", [True, False])
def test_a_net_that_has_learned_the_mean_alone_has_not_learned(
    opened: Opened, logs: bool, connected: bool
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    probe = gradtui.watch(model, optimizer)
    for _ in range(300):
        x = torch.randn(32, 4)
        target = 4 + (x if connected else torch.randn(32, 4)).sum(1, keepdim=True) / 2
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        if logs:
            probe.log(loss=loss)
    diagnosis = diagnose_run(opened(probe))
    assert [finding.code for finding in diagnosis.findings] == ([] if connected else ["not-learning"])
    if not connected:
        assert "the same answer to every example gives" in diagnosis.findings[0].evidence
        assert diagnosis.evidence.constant_loss == pytest.approx(1.0, rel=0.2)
