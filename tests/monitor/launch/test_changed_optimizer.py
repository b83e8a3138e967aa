"""Test the steps of a changed optimizer against the same training written by hand."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from gradtui.monitor.launch.changed_optimizer import ChangedOptimizer
from gradtui.monitor.launch.changes import parse_change
from gradtui.monitor.launch.new_weights import layers_to_initialise, reinitialise
from gradtui.monitor.launch.refusals import refusals

STEPS = 5
ByHand = Callable[[Optimizer, int], None]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


@contextmanager
def changed(optimizer: Optimizer, text: str) -> Iterator[None]:
    """Have the steps of an optimizer changed, as the start-up module does."""
    change = ChangedOptimizer(weakref.ref(optimizer), parse_change(text))

    def before(stepping: Optimizer, *_: object) -> None:
        assert stepping is optimizer
        change.start_anew() if change.starts_anew else change.before_step()

    handles = [
        register_optimizer_step_pre_hook(before),
        register_optimizer_step_post_hook(lambda *_: change.after_step()),
    ]
    yield
    for handle in handles:
        handle.remove()


def train(
    make: Callable[[nn.Module], Optimizer],
    *,
    by_hand: ByHand | None = None,
    schedule: Callable[[Optimizer], LambdaLR | ExponentialLR] | None = None,
    text: str = "",
    broken: int = -1,
) -> tuple[list[Tensor], list[float]]:
    """Train a net, changed by hand or by a text; return its weights and the rates that the script sees."""
    model = net()
    optimizer = make(model)
    scheduler = schedule(optimizer) if schedule else None
    rates = []

    def steps() -> None:
        for step in range(STEPS):
            optimizer.zero_grad()
            x = torch.linspace(-1, 1, 24).reshape(4, 6) + step
            loss = 50 * model(x).square().mean()
            loss.backward()
            if step == broken:
                model[0].weight.grad.fill_(float("nan"))
            if by_hand is not None:
                by_hand(optimizer, step)
            elif not text or step != broken or "skip" in text:
                optimizer.step()
            if scheduler is not None:
                scheduler.step()
            rates.append(float(optimizer.param_groups[0]["lr"]))

    if text:
        with changed(optimizer, text):
            steps()
    else:
        steps()
    return [p.detach().clone() for p in model.parameters()], rates


def with_rate(rate: Callable[[float, int], float]) -> ByHand:
    """Take each step with another rate than the scheduler's."""

    def step(optimizer: Optimizer, number: int) -> None:
        before = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] = rate(group["lr"], number)
        optimizer.step()
        for group, value in zip(optimizer.param_groups, before, strict=True):
            group["lr"] = value

    return step


def clipped(optimizer: Optimizer, number: int) -> None:
    parameters = optimizer.param_groups[0]["params"]
    torch.nn.utils.clip_grad_norm_(parameters, 0.3)
    optimizer.step()


def clipped_by_value(optimizer: Optimizer, number: int) -> None:
    torch.nn.utils.clip_grad_value_(optimizer.param_groups[0]["params"], 0.01)
    optimizer.step()


def decaying(optimizer: Optimizer) -> ExponentialLR:
    return ExponentialLR(optimizer, 0.5)


def warm(optimizer: Optimizer) -> LambdaLR:
    return LambdaLR(optimizer, lambda step: (step + 1) / 4)


CASES = {
    "rate by a factor": ("lr=x0.1", SGD, {}, with_rate(lambda lr, _: lr * 0.1), None),
    "under a schedule": ("lr=x0.1", SGD, {}, with_rate(lambda lr, _: lr * 0.1), decaying),
    "as a number": ("lr=0.003", SGD, {}, with_rate(lambda lr, _: 0.003), None),
    # A schedule that begins low reaches the number at its height.
    "a number with a schedule": ("lr=0.003", SGD, {}, with_rate(lambda lr, _: lr * (0.003 / 0.05)), warm),
    "warm-up": ("warmup=4", SGD, {}, with_rate(lambda lr, n: lr * min(1.0, (n + 1) / 4)), None),
    "both": ("lr=x2+warmup=4", SGD, {}, with_rate(lambda lr, n: lr * 2 * min(1.0, (n + 1) / 4)), None),
    "clip": ("clip=0.3", SGD, {}, clipped, None),
    "clip each number": ("clip_value=0.01", SGD, {}, clipped_by_value, None),
    "weight decay": ("weight_decay=0.5", AdamW, {"weight_decay": 0.5}, None, None),
    "eps": ("eps=x1e6", Adam, {"eps": 1e-2}, None, None),
    "betas": ("betas=0.5,0.6", Adam, {"betas": (0.5, 0.6)}, None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_trains_to_the_same_weights_as_when_it_is_written_by_hand(case: str) -> None:
    text, kind, settings, by_hand, schedule = CASES[case]
    expected, rates = train(
        lambda model: kind(model.parameters(), lr=0.05, **settings), by_hand=by_hand, schedule=schedule
    )
    found, seen = train(lambda model: kind(model.parameters(), lr=0.05), schedule=schedule, text=text)
    unchanged, _ = train(lambda model: kind(model.parameters(), lr=0.05), schedule=schedule)
    for one, other, without in zip(found, expected, unchanged, strict=True):
        torch.testing.assert_close(one, other)
        assert not torch.allclose(one, without)
    # The script's own scheduler has gone on as without.
    assert seen == rates


def test_groups_keep_the_relation_of_their_rates_and_parameters_without_decay_get_none() -> None:
    model = net()
    groups = [
        {"params": model[0].parameters(), "lr": 0.1, "weight_decay": 0.0},
        {"params": model[2].parameters(), "lr": 0.01, "weight_decay": 0.1},
    ]
    optimizer = SGD(groups)
    seen: list[tuple[float, float]] = []
    with changed(optimizer, "lr=0.5+weight_decay=0.2"):
        optimizer.register_step_pre_hook(
            lambda *_: seen.extend((group["lr"], group["weight_decay"]) for group in optimizer.param_groups)
        )
        model(torch.ones(2, 6)).sum().backward()
        optimizer.step()
    assert seen == [(0.5, 0.0), (pytest.approx(0.05), 0.2)]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_step_with_a_broken_gradient_is_left_out_and_the_script_keeps_its_gradient() -> None:
    expected, _ = train(
        lambda model: Adam(model.parameters(), 0.05),
        by_hand=lambda optimizer, step: optimizer.step() if step != 2 else None,
        broken=2,
    )
    found, _ = train(lambda model: Adam(model.parameters(), 0.05), text="skip_nonfinite", broken=2)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("how", "deviation"),
    [("he", (2 / 200) ** 0.5), ("xavier", (2 / 500) ** 0.5), ("default", (1 / 600) ** 0.5)],
)
def test_layers_are_initialised_as_their_name_says_and_no_random_number_is_taken(
    how: str, deviation: float
) -> None:
    model = nn.Sequential(nn.Linear(200, 300), nn.LayerNorm(300))
    nn.init.constant_(model[0].weight, 5.0)
    nn.init.constant_(model[1].weight, 5.0)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    parameters = list(model.parameters())
    reinitialise(layers_to_initialise(model.modules(), parameters), how)
    assert torch.equal(torch.get_rng_state(), state)
    assert float(model[0].weight.detach().std()) == pytest.approx(deviation, rel=0.02)
    assert float(model[0].weight.detach().mean()) == pytest.approx(0.0, abs=0.01 * deviation * 10)
    assert (float(model[0].bias.detach().abs().max()) == 0) == (how != "default")
    assert bool((model[1].weight == 5).all())


def test_recurrent_convolutional_and_attention_layers_are_initialised_too() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "rnn": nn.LSTM(5, 7),
            "conv": nn.Conv2d(4, 9, 3),
            "up": nn.ConvTranspose2d(16, 4, 3),
            "attention": nn.MultiheadAttention(8, 2),
        }
    )
    frozen = nn.Linear(3, 3).requires_grad_(False)
    model["frozen"] = frozen
    before = frozen.weight.clone()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.fill_(3.0)
    layers = layers_to_initialise(model.modules(), list(model.parameters()))
    assert [type(layer).__name__ for layer in layers] == [
        "LSTM",
        "Conv2d",
        "ConvTranspose2d",
        "MultiheadAttention",
        "NonDynamicallyQuantizableLinear",
    ]
    reinitialise(layers, "orthogonal")
    gate = model["rnn"].weight_hh_l0[:7]
    torch.testing.assert_close(gate @ gate.T, torch.eye(7), atol=1e-5, rtol=0)
    rows = model["conv"].weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(9), atol=1e-5, rtol=0)
    columns = model["up"].weight.transpose(0, 1).flatten(1)
    torch.testing.assert_close(columns @ columns.T, torch.eye(4), atol=1e-5, rtol=0)
    query = model["attention"].in_proj_weight[:8]
    torch.testing.assert_close(query @ query.T, torch.eye(8), atol=1e-5, rtol=0)
    assert torch.equal(frozen.weight, before)
    assert all(bool((p != 3).all()) for p in model.parameters())


def test_the_first_step_is_left_out_where_weights_are_new_for_its_gradient_is_that_of_the_old() -> None:
    model = net()
    optimizer = AdamW(model.parameters(), 0.1, weight_decay=0.1)
    with changed(optimizer, "init=he"):
        model(torch.ones(2, 6)).sum().backward()
        gradient = model[0].weight.grad
        optimizer.step()
        fresh = net()
        reinitialise(layers_to_initialise(fresh.modules(), list(fresh.parameters())), "he")
        assert torch.equal(model[0].weight, fresh[0].weight)
        assert model[0].weight.grad is gradient
        optimizer.step()
        assert not torch.equal(model[0].weight, fresh[0].weight)


@pytest.mark.parametrize(
    ("text", "make", "problem"),
    [
        ("betas=0.9,0.95", SGD, "SGD has no betas"),
        ("eps=1e-6", SGD, "SGD has no eps"),
        ("eps=1e-8", Adam, "Adam has it already"),
        ("weight_decay=x10", SGD, "its weight_decay is 0 in SGD"),
        ("lr=x10", SGD, ""),
        ("clip=1", Adam, ""),
        ("init=he", Adam, ""),
    ],
)
def test_what_an_optimizer_has_not_is_refused(
    text: str, make: Callable[..., Optimizer], problem: str
) -> None:
    model = net()
    optimizer = make(model.parameters(), 0.1)
    assert refusals(parse_change(text).parts, [optimizer], closure=False) == [problem]


class _Adapted(nn.Linear):
    """A linear layer with two further matrices, as low-rank adapters have them."""

    def __init__(self) -> None:
        super().__init__(6, 4)
        self.lora_a = nn.Parameter(torch.randn(2, 6))
        self.lora_b = nn.Parameter(torch.zeros(4, 2))


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize("how", ["he", "default"])
def test_weights_that_are_computed_and_parameters_of_adapters_stay(how: str) -> None:
    adapted = _Adapted()
    model = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)),
        nn.utils.weight_norm(nn.Linear(6, 6)),
        nn.utils.parametrizations.orthogonal(nn.RNN(6, 6), "weight_hh_l0"),
        adapted,
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reinitialise(layers_to_initialise(model.modules(), list(model.parameters())), how)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2.weight_ih_l0", "2.bias_ih_l0", "2.bias_hh_l0", "3.weight", "3.bias"}


def test_a_gradient_that_is_computed_within_the_step_and_a_model_without_layers_are_refused() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = SGD([weight], 0.1)
    parts = parse_change("clip=1+init=he").parts
    assert refusals(parts, [optimizer], closure=True) == [
        "SGD computes its gradient within its step",
        "SGD moves no linear, convolutional or recurrent layer",
    ]
