"""Test sentences of cures that are true of one net and false of another: each says what holds in the case at hand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

import pytest

from gradtui.diagnosis import cures
from gradtui.diagnosis.cures.measured import Measured
from gradtui.diagnosis.cures.unusual import weight_size
from gradtui.diagnosis.findings import CureOffer
from gradtui.experiment import Experiment, from_dict, resolve, set_fields
from tests.support.evidence import AT_CHANCE, evidence, only

STARVED = Measured(update=1e-7, largest_update=1e-6, start=-8.0)
STEEP = Measured(update=1e-3, largest_update=5.0, start=4.0, steep=True)
BROKEN = Measured(update=0.1, largest_update=7.5, start=0.1)
SLOW = Measured(update=8e-4, largest_update=2e-3, start=-0.2)


def net(**fields: object) -> Experiment:
    """An experiment on digits of one group; fields of it by name, others as part__name."""
    raw: dict[str, dict[str, object]] = {"data": {"source": "digits"}, "group": {}}
    for path, value in fields.items():
        part, _, name = path.rpartition("__")
        raw.setdefault(part or "group", {})[name] = value
    group = raw.pop("group")
    return from_dict({**raw, "net": [group]})


def text(offer: CureOffer) -> str:
    return f"{offer.name}: {offer.why} {offer.price}"


def offered(offers: Iterable[CureOffer], key: str) -> CureOffer | None:
    return next((offer for offer in offers if offer.key == key or offer.name == key), None)


def said(offers: Iterable[CureOffer], key: str) -> str:
    """The words of a cure that must be among the offers."""
    found = offered(offers, key)
    assert found is not None, key
    return text(found)


@pytest.mark.parametrize(
    "exp",
    [
        resolve("attention-post"),
        net(repeat=8, optimizer__kind="adam", optimizer__lr=0.075),
        net(block="conv", width=6, repeat=11, activation="tanh"),
    ],
)
def test_a_smaller_rate_is_advised_by_the_step_that_was_too_large(exp: Experiment) -> None:
    late = cures.for_late_vanishing(exp, Measured(update=1e-3, largest_update=0.62, start=-0.5))
    assert "A step moved weights by 0.62 times their size" in said(late, "smaller-lr")
    assert "62 times more slowly" in said(late, "smaller-lr")
    assert not re.search("large gradient|throw", said(late, "smaller-lr"))
    assert offered(cures.for_late_vanishing(exp, STARVED), "smaller-lr") is None
    unknown = said(cures.for_late_vanishing(exp, Measured()), "smaller-lr")
    assert "nan" not in unknown
    huge = said(cures.for_exploding(exp, Measured(largest_update=math.inf)), "smaller-lr")
    assert "beyond the largest number" in huge
    assert "3,000 times more slowly" in huge
    assert "may not be enough" in huge


@pytest.mark.parametrize("bias", [-4.0, -2.0])
@pytest.mark.parametrize("activation", ["silu", "prelu", "sigmoid", "relu"])
def test_a_rate_is_called_too_small_only_by_its_steps(activation: str, bias: float) -> None:
    exp = net(repeat=4, activation=activation, bias_mean=bias)
    larger = [offer for offer in cures.for_not_learning(exp, SLOW) if offer.name.startswith("larger")]
    assert all("This is healthy" in offer.why and "too small" not in offer.why for offer in larger)
    first = cures.for_not_learning(exp, SLOW)[0]
    assert f"biases of {bias:g}" in first.why
    # At -2 a sigmoid still has 0.4 of its steepest slope.
    assert ("flat" in first.why) is ((activation, bias) != ("sigmoid", -2.0))
    killed = Measured(update=1e-9, largest_update=3.0)
    assert not [offer for offer in cures.for_not_learning(exp, killed) if offer.name.startswith("larger")]
    assert not [offer for offer in cures.for_not_learning(exp, Measured()) if "nan" in text(offer)]


@pytest.mark.parametrize(("activation", "bias"), [("relu", 3.0), ("identity", -4.0), ("prelu", 4.0)])
def test_biases_are_said_to_reach_flat_ends_only_where_there_are_some(activation: str, bias: float) -> None:
    exp = net(repeat=4, activation=activation, bias_mean=bias)
    why = said(cures.for_saturated(exp, SLOW), "biases at 0")
    assert f"Biases of {bias:g} outweigh" in why
    assert "flat" not in why
    normed = set_fields(exp, {"net.0.norm": "batch"})
    assert "batch normalisation subtracts them" in said(cures.for_saturated(normed, SLOW), "biases at 0")


@pytest.mark.parametrize("gain", [0.31, 0.53, 0.79])
@pytest.mark.parametrize("init", ["he", "normal"])
def test_no_gain_is_raised_and_said_to_be_lowered_in_a_net_that_explodes(gain: float, init: str) -> None:
    exp = net(repeat=12, activation="relu", init=init, gain=gain)
    for offer in (*cures.for_exploding(exp, STEEP), *cures.for_exploding(exp, BROKEN)):
        after = set_fields(exp, offer.set).net[0]
        assert weight_size(after) <= weight_size(exp.net[0]) * 1.001, offer.name
        assert "gain 1" not in offer.name
    small = cures.for_vanishing(exp, STARVED)[0].why
    ratio = weight_size(exp.net[0]) / math.sqrt(2.0)
    assert (
        f"weights of {ratio:.2g} times the size that suits ReLU make the gradient about {1 / ratio:.2g} times smaller"
        in small
    )


@pytest.mark.parametrize(
    ("fields", "said_of_weights"),
    [
        (
            {"activation": "relu", "init": "he", "gain": 3.0},
            "make the gradient about 3 times larger in every layer",
        ),
        (
            {"activation": "tanh", "gain": 3.5},
            "up to 3.5 times larger in every layer, and push units towards",
        ),
        (
            {"activation": "identity", "init": "lecun", "gain": 2.4},
            "suits a linear layer make the gradient about 2.4",
        ),
        (
            {"block": "attention", "width": 16, "gain": 2.4},
            "suits attention make the gradient up to 2.4 times larger in every block",
        ),
        (
            {"block": "rnn", "gain": 2.0, "activation": "tanh"},
            "feed the input into the state 2 times as strongly",
        ),
        ({"activation": "relu", "init": "he", "gain": 3.0, "norm": "layer"}, "the norm removes their size"),
        (
            {"activation": "relu", "init": "he", "gain": 3.0, "shortcut": "identity", "layers": 2},
            "make the gradient about 3 times larger in every branch",
        ),
    ],
)
def test_the_size_of_weights_is_said_by_what_it_does_there_and_its_price_is_the_rate(
    fields: dict[str, object], said_of_weights: str
) -> None:
    sequence = "rows" if fields.get("block") in ("attention", "rnn") else "none"
    exp = net(repeat=4, data__sequence=sequence, optimizer__lr=0.05, **fields)
    first = cures.for_exploding(exp, STEEP)[0]
    assert said_of_weights in first.why
    assert "optimizer.lr" in first.set or "the rate may have to change" in first.price


@pytest.mark.parametrize("preset", ["explode-relu-gain", "explode-tanh-stuck", "plain-batchnorm-57"])
def test_clipping_is_not_said_to_flatten_a_profile(preset: str) -> None:
    steep = said(cures.for_exploding(resolve(preset), STEEP), "clip-norm")
    assert "The ratio between the layers, 10,000 times from the last to the first, does not change" in steep
    even = said(cures.for_exploding(resolve(preset), BROKEN), "clip-norm")
    assert "ratio" not in even
    adaptive = set_fields(resolve(preset), {"optimizer.kind": "adam", "optimizer.lr": 0.001})
    why = said(cures.for_exploding(adaptive, BROKEN), "clip-norm")
    assert "Adam divides the gradient by its usual size anyway" in why
    assert "no step is long" not in why
    over_time = said(cures.for_exploding(resolve("explode-pixels-radius"), STEEP), "clip-norm")
    assert "between the steps back in time does not change" in over_time


def test_relu_is_offered_with_the_biases_and_the_rate_in_mind() -> None:
    sigmoids = resolve("pretrain-none")
    assert "the rate of 0.5 with momentum 0.9 makes that likely" in said(
        cures.for_vanishing(set_fields(sigmoids, {"optimizer.lr": 0.5, "optimizer.momentum": 0.9}), STARVED),
        "relu",
    )
    slower = set_fields(sigmoids, {"optimizer.lr": 0.05, "optimizer.momentum": 0.0})
    assert "likely" not in said(cures.for_vanishing(slower, STARVED), "relu")
    for bias in (-1.5, -4.0):
        biased = set_fields(sigmoids, {"net.0.bias_mean": bias})
        assert offered(cures.for_vanishing(biased, STARVED), "relu") is None


def test_a_net_of_relu_is_not_given_relu() -> None:
    other = cures.for_vanishing(net(repeat=6, activation="relu", init="xavier", optimizer__lr=0.05), STARVED)
    assert "The activation stays" in said(other, "He initialisation")
    gain = cures.for_vanishing(
        net(repeat=6, activation="relu", init="he", gain=0.3, optimizer__lr=0.05), STARVED
    )
    assert offered(gain, "gain 1") is not None
    for preset in ("vanish-relu-20", "plain-1001"):
        for offer in cures.for_vanishing(resolve(preset), STARVED):
            assert not offer.name.startswith("ReLU"), preset
            assert set_fields(resolve(preset), offer.set).net[0].activation == resolve(preset).net[
                0
            ].activation or (len(resolve(preset).net) == 1)


@pytest.mark.parametrize("steps", [8, 30, 64])
def test_gated_cells_are_said_to_keep_what_they_keep_at_the_start(steps: int) -> None:
    exp = set_fields(resolve("adding-rnn"), {"data.length": steps})
    offers = cures.for_vanishing_over_time(exp, STARVED)
    bias = round(math.log(steps), 2)
    kept = 1 / (1 + math.exp(-bias))
    assert f"a forget bias of {bias:g} keeps {kept:.2g} of the gradient at every step" in said(offers, "lstm")
    assert re.search(rf"and 0\.3\d of it over {steps}\b", said(offers, "lstm"))
    assert "near 1" not in said(offers, "lstm")
    assert "can learn to copy" in said(offers, "gru")
    assert "at the start half of the state passes" in said(offers, "gru")
    closed = set_fields(resolve("adding-lstm"), {"data.length": steps, "net.0.forget_bias": 0.5})
    memory = said(cures.for_vanishing_over_time(closed, STARVED), "lstm-memory")
    assert "a bias of 0.5 keeps 0.62 per step" in memory
    assert "three quarters of the weights of an LSTM" in said(
        cures.for_vanishing_over_time(closed, STARVED), "gru"
    )


@pytest.mark.parametrize(
    ("changes", "name", "words", "not_said"),
    [
        (
            {},
            "pre-norm blocks",
            ("shortcuts stay", "the norm moves before the weights"),
            ("a shortcut around",),
        ),
        (
            {"net.0.norm": "none", "net.0.shortcut": "none"},
            "pre-norm blocks",
            (
                "a shortcut around them",
                "layer normalisation comes before the weights",
                "each branch is divided",
            ),
            ("the norm moves", "stay"),
        ),
        (
            {"net.0.order": "pre", "net.0.shortcut": "none"},
            "residual shortcuts",
            ("input of each block is added", "each branch is divided"),
            ("before the weights",),
        ),
        (
            {"net.0.order": "pre"},
            "residual branches that start small",
            ("shortcuts stay", "each branch is divided"),
            ("before the weights",),
        ),
        (
            {"net.0.branch_gain": "depth"},
            "pre-norm blocks",
            ("the norm moves before the weights",),
            ("branch is divided",),
        ),
    ],
)
def test_blocks_of_attention_are_named_after_what_is_new_in_them(
    changes: dict[str, object], name: str, words: tuple[str, ...], not_said: tuple[str, ...]
) -> None:
    exp = set_fields(resolve("attention-post"), {"net.0.branch_gain": 1.0, **changes})
    offer = offered(cures.for_vanishing(exp, Measured(layers=("attention1.mlp2",))), name)
    assert offer is not None
    lower = offer.why.lower()
    assert all(word in lower for word in words), offer.why
    assert not any(word in lower for word in not_said), offer.why


@pytest.mark.parametrize(
    ("fields", "words", "not_said"),
    [
        ({}, "12 blocks of 1 layer become 6 blocks of 2 layers; the activation moves before", "norm"),
        ({"norm": "batch"}, "the norm and the activation move before the weights", "projection"),
        (
            {"activation": "identity"},
            "12 blocks of 1 layer become 6 blocks of 2 layers; each branch",
            "before the",
        ),
        ({"order": "pre"}, "each branch is divided by the square root", "before the weights"),
        ({"block": "conv", "width": 6}, "where widths differ, a projection is added", "norm"),
        ({"shortcut": "identity", "layers": 2}, "The shortcuts stay", "The input of each block is added"),
    ],
)
def test_what_shortcuts_do_to_the_blocks_is_said(
    fields: dict[str, object], words: str, not_said: str
) -> None:
    exp = net(**{"repeat": 12, "activation": "tanh", **fields})
    shortcuts = said(cures.for_degradation(exp), "shortcuts")
    assert words in shortcuts
    assert not_said not in shortcuts
    assert ("residual shortcuts" in shortcuts) is ("shortcut" not in fields)


@pytest.mark.parametrize(
    "preset", ["vanish-relu-20", "attention-post", "residual-57", "adding-lstm", "sigmoid-20"]
)
def test_the_list_of_all_cures_is_in_the_words_of_the_case_too(preset: str) -> None:
    exp = resolve(preset)
    made = cures.every_offer(exp)
    names = [offer.name for offer in made]
    assert len(names) == len(set(names))
    assert all(offer.set and set_fields(exp, offer.set) != exp for offer in made)
    said_all = " ".join(text(offer) for offer in made)
    assert ("where sigmoid has 1/4" in said_all) is (preset == "sigmoid-20")
    assert "ReLU + He initialisation" not in names or exp.net[-1].activation != "relu"


def test_fewer_layers_promise_fewer_factors_and_not_better_ones() -> None:
    deep = net(repeat=11, activation="relu", init="he", gain=2.4)
    small = net(block="attention", width=16, repeat=11, gain=0.5, data__sequence="rows")
    for offers in (cures.for_exploding(deep, STEEP), cures.for_vanishing(small, STARVED)):
        assert "2 blocks instead of 11 mean fewer factors. The factors themselves do not change" in said(
            offers, "fewer-layers"
        )
    broken = said(cures.for_exploding(deep, BROKEN), "fewer-layers")
    assert "factor" not in broken
    assert "change at every step" in broken


def test_batch_norm_names_its_own_growth_only_in_plain_deep_relu_nets() -> None:
    plain = said(cures.for_degradation(net(repeat=20, activation="relu")), "batch-norm")
    assert "by 1.2 on its way to the input, which makes 46 times over 21 layers" in plain
    for exp in (net(repeat=3, activation="relu"), net(repeat=20, activation="tanh")):
        assert "1.2" not in said(cures.for_degradation(exp), "batch-norm")
    small = said(cures.for_degradation(net(repeat=3, data__batch_size=4, norm="layer")), "batch-norm")
    assert "over batches of 4 are imprecise" in small
    assert "replaces layer normalisation" in small


@pytest.mark.parametrize(
    "preset", ["explode-relu-gain", "explode-tanh-stuck", "explode-pixels", "explode-batch"]
)
def test_no_penalty_is_advised_against_an_explosion(preset: str) -> None:
    for measured in (STEEP, BROKEN):
        assert not [
            o for o in cures.for_exploding(resolve(preset), measured) if {"cures.l1", "cures.l2"} & set(o.set)
        ]


def test_a_penalty_is_said_to_do_what_the_optimizer_makes_of_it() -> None:
    adaptive = net(repeat=6, optimizer__kind="adamw", optimizer__lr=0.39, cures__l2=0.05)
    why = said(cures.for_late_vanishing(adaptive, STARVED), "no penalty")
    assert "up to 0.39 per step, the learning rate" in why
    assert "faster than the data" not in why
    plain = net(repeat=6, optimizer__lr=0.1, optimizer__momentum=0.9, cures__l2=0.05)
    assert "L2 of 0.05 shrinks each weight by 0.05 of its size at every step" in said(
        cures.for_late_vanishing(plain, STARVED), "no penalty"
    )
    sparse = net(repeat=6, optimizer__lr=0.1, cures__l1=0.01)
    assert "moves each weight by 0.001 towards 0" in said(
        cures.for_late_vanishing(sparse, STARVED), "no penalty"
    )
    tiny = net(repeat=6, optimizer__lr=0.1, cures__l2=1e-6)
    assert offered(cures.for_late_vanishing(tiny, STARVED), "no penalty") is None


@pytest.mark.parametrize("kind", ["adam", "adamw", "rmsprop"])
def test_a_looser_clip_is_not_said_to_free_the_steps_of_an_adaptive_rule(kind: str) -> None:
    exp = net(repeat=2, optimizer__kind=kind, optimizer__lr=3.8e-6, cures__clip_norm=0.5)
    for name in ("clip at 100", "no clipping"):
        assert "divides the gradient by its usual size" in said(cures.for_overclipped(exp, 100.0), name)
    sgd = set_fields(exp, {"optimizer.kind": "sgd", "optimizer.lr": 0.1})
    assert "divides" not in said(cures.for_overclipped(sgd, 100.0, SLOW), "clip at 100")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"cures__l2": 0.1}, "L2 of 0.1"),
        ({"cures__l1": 0.01}, "L1 of 0.01"),
        ({"bias_mean": -4.0}, "biases of -4"),
        ({"bias_std": 3.0}, "biases with standard deviation 3"),
        ({"gain": 0.5}, "weights of 0.5 times the size"),
        ({"cures__clip_norm": 1e-3}, "clipping at 0.001"),
        ({"optimizer__lr": 4.0}, "a learning rate of 4 is unusual for SGD"),
        (
            {"optimizer__kind": "adamw", "optimizer__lr": 1e-5},
            "the learning rate of AdamW is 1e-5, while 0.003 suits",
        ),
        ({"optimizer__loss": "sum"}, "summed over the batch"),
        ({}, "check the data"),
    ],
)
def test_the_data_are_suspected_only_where_nothing_in_the_experiment_stands_out(
    fields: dict[str, object], named: str
) -> None:
    exp = net(**{"repeat": 10, "activation": "relu", "init": "he", "optimizer__lr": 0.1, **fields})
    words = only(evidence(loss=AT_CHANCE, update=1e-3, experiment=exp)).evidence
    assert named in words
    assert ("check the data" in words) is (not fields)


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [
        ({"kind": "sgd"}, "two more numbers per weight"),
        ({"kind": "sgd", "momentum": 0.9}, "one more number per weight"),
        ({"kind": "rmsprop", "lr": 1e-5}, "one more number per weight"),
        ({"kind": "adamw", "lr": 1e-5}, "the best rate"),
    ],
)
def test_adam_costs_what_it_keeps_beyond_the_present_optimizer(
    optimizer: dict[str, object], numbers: str
) -> None:
    exp = net(repeat=2, **{f"optimizer__{name}": value for name, value in optimizer.items()})
    offer = next(o for o in cures.for_not_learning(exp, STARVED) if o.name.startswith("Adam at"))
    assert offer.price.startswith(numbers)
    assert ("AdamW's steps at 1e-5 are 300 times smaller" in offer.why) is (optimizer["kind"] == "adamw")


def test_half_precision_is_said_to_lose_what_its_loss_scale_leaves_to_lose() -> None:
    exp = net(repeat=8, run__precision="fp16", run__loss_scale=1024.0, run__device="cpu")
    assert "a fixed loss scale of 1024 loses every gradient below 5.8e-11" in cures.for_underflow(exp)[0].why
