"""Test that the text of a cure is true of its experiment: it names every change, and only what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from gradtui.diagnosis import cures
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.findings import CureOffer
from gradtui.experiment import Experiment, resolve, set_fields
from gradtui.experiment.presets import names
from tests.diagnosis.failing.drawing import draw

SAID = {
    "kind": r"adam",
    "lr": r"rate|adam at",
    "weight_decay": r"penalty|decay",
    "loss": r"mean loss|mean over",
    "warmup_steps": r"warm-up",
    "batch_size": r"batch",
    "block": r"lstm|gru",
    "activation": r"relu|elu|tanh|slope",
    "init": r"initialisation|weights|init",
    "gain": r"gain|weights|initialisation",
    "recurrent_init": r"orthogonal|recurren",
    "recurrent_gain": r"orthogonal|recurren|gain",
    "forget_bias": r"forget",
    "slope": r"slope|leaky",
    "bias_mean": r"bias",
    "bias_std": r"bias",
    "norm": r"norm",
    "shortcut": r"shortcut|path",
    "order": r"before the weights",
    "branch_gain": r"square root of the number of blocks",
    "repeat": r"blocks? of|fewer layers",
    "layers": r"blocks? of|fewer layers",
    "width": r"width",
    "clip_norm": r"clip",
    "clip_value": r"clip",
    "l1": r"penalty|l1",
    "l2": r"penalty|l2",
    "precision": r"fp32|bf16|float32|bfloat16",
    "loss_scale": r"scal",
    "scaling": r"scal|1/√",
    "method": r"pretrain",
}
"""How a change of a field is said, by the field's name."""

ONLY_WITH = {
    "LSTM": lambda before, after: _has(before, after, "block", "lstm"),
    "GRU": lambda before, after: _has(before, after, "block", "gru"),
    "attention": lambda before, after: _has(before, after, "block", "attention"),
    "forget": lambda before, after: _has(before, after, "block", "lstm"),
    "summed": lambda before, after: before.optimizer.loss == "sum",
    "fp16": lambda before, after: before.run.precision == "fp16",
    "Adam": lambda before, after: "adam" in before.optimizer.kind + after.optimizer.kind,
    "SELU": lambda before, after: _has(before, after, "activation", "selu"),
    "orthogonal": lambda before, after: any(
        "orthogonal" in (g.init, g.recurrent_init) for g in (*before.net, *after.net)
    ),
    "batch normalisation": lambda before, after: (
        _has(before, after, "norm", "batch") or _has(before, after, "norm", "layer")
    ),
}
"""What must be in the experiment, before or after the change, for a word to be said."""

MEASURED = (
    Measured(update=1e-7, largest_update=1e-6, start=-8.0),
    Measured(update=0.5, largest_update=3.0, start=6.0, steep=True),
    Measured(),
)
EXPERIMENTS = [*(draw(seed) for seed in range(30)), *(resolve(name) for name in names()[::5])]


def _has(before: Experiment, after: Experiment, field: str, value: str) -> bool:
    return any(getattr(group, field) == value for group in (*before.net, *after.net))


def offers_for(exp: Experiment) -> Iterator[CureOffer]:
    """Every cure of every finding, by several measurements."""
    for measured in MEASURED:
        yield from cures.for_vanishing(exp, measured)
        yield from cures.for_late_vanishing(exp, measured)
        yield from cures.for_vanishing_over_time(exp, measured)
        yield from cures.for_exploding(exp, measured)
        yield from cures.for_nonfinite(exp, measured)
        yield from cures.for_unstable_loss(exp, measured)
        yield from cures.for_dead_units(exp, measured, at_start=True)
        yield from cures.for_dead_units(exp, measured, at_start=False)
        yield from cures.for_saturated(exp, measured)
        yield from cures.for_overclipped(exp, 3.0, measured)
        yield from cures.for_underflow(exp, measured)
        yield from cures.for_degradation(exp, measured)
        yield from cures.for_not_learning(exp, measured)
        yield from cures.for_slow_learning(exp, measured)


@pytest.mark.parametrize("exp", EXPERIMENTS, ids=lambda exp: exp.name)
def test_every_change_is_said_and_nothing_is_named_that_is_not_there(exp: Experiment) -> None:
    for offer in set(_hashable(offers_for(exp))):
        name, why, price, changes = offer
        text = f"{name} {why} {price}"
        for path, _ in changes:
            field = "method" if path.startswith("cures.pretrain.") else path.rpartition(".")[2]
            assert re.search(SAID[field], text, re.IGNORECASE), f"{path} is not said: {text}"
        after = set_fields(exp, dict(changes))
        for word, there in ONLY_WITH.items():
            if re.search(rf"\b{word}\b", f"{name} {why}"):
                assert there(exp, after), f"{word} is not there: {text}"


def _hashable(offers: Iterator[CureOffer]) -> Iterator[tuple[str, str, str, tuple[tuple[str, object], ...]]]:
    for offer in offers:
        yield offer.name, offer.why, offer.price, tuple(offer.set.items())
