"""Order the presets as a curriculum of chapters, each with a problem and the presets that solve it.

Each preset names the findings with which its training ends; a test checks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class PresetEntry:
    """A PresetEntry is one preset: what its training shows, and which problem it belongs to."""

    name: str
    shows: tuple[str, ...] = ()
    """The codes of the findings with which its training ends; empty where it ends without a problem."""
    partner: str = ""
    """The preset to compare it with: for a cure its problem, for a problem its first cure."""
    degrades_after: str = ""
    """The preset of a shallower net: if that was trained before, this one ends with degradation, else with `shows`."""
    cures: bool = False
    """This is true if it is listed below its partner, from which it differs by one change."""


@dataclass(frozen=True)
class Chapter:
    """A Chapter is one subject: a title, a sentence on it, and its presets in the order in which they teach."""

    title: str
    about: str
    entries: tuple[PresetEntry, ...]


def _problem(
    name: str, shows: str, *cures: str, partner: str = "", degrades_after: str = ""
) -> Iterator[PresetEntry]:
    """Yield a preset and then its cures, which differ from it by one change; `name!code` ends with that finding."""
    first = cures[0].partition("!")[0] if cures else partner
    yield PresetEntry(name, tuple(shows.split()), first, degrades_after)
    for cure in cures:
        cured, _, found = cure.partition("!")
        yield PresetEntry(cured, tuple(found.split()), name, cures=True)


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(
        "Vanishing gradients",
        "Each layer multiplies the gradient by a factor below 1, so almost nothing reaches the first layers.",
        (
            *_problem("sigmoid-20", "vanishing", "relu-20", "batchnorm-20"),
            *_problem(
                "vanish-sigmoid-10",
                "vanishing",
                *("cure-batchnorm", "cure-shortcut", "cure-relu-he", "cure-leaky", "cure-leaky-02"),
                *("cure-prelu", "cure-elu", "cure-tanh-xavier", "cure-shallow"),
            ),
            *_problem("vanish-sigmoid-xavier", "vanishing", partner="cure-tanh-xavier"),
            *_problem("vanish-tanh-20", "vanishing", partner="cure-tanh-xavier"),
            *_problem("vanish-relu-20", "vanishing", partner="relu-20"),
        ),
    ),
    Chapter(
        "What the net computes",
        "The data are points in the plane: press D while it trains to see which class the net gives each place.",
        (*_problem("spirals-sigmoid", "vanishing", "spirals-residual"),),
    ),
    Chapter(
        "Exploding gradients",
        "The factor is above 1, or a step is too large: the net does not learn, the loss swings, or it becomes NaN.",
        (
            *_problem("explode-tanh-stuck", "exploding", "explode-tanh-swings!exploding unstable-loss"),
            *_problem("explode-tanh-slow", "exploding", "cure-l2", "cure-l1"),
            *_problem(
                "explode-relu-gain",
                "exploding nonfinite",
                *("cure-explode-lr", "cure-explode-clip", "cure-explode-gain", "cure-explode-shallow"),
            ),
            *_problem("explode-batch", "exploding nonfinite", "cure-explode-batch"),
        ),
    ),
    Chapter(
        "Dead units",
        "A ReLU unit whose input is always negative has slope 0: it gets no gradient and cannot come back.",
        (
            *_problem("dead-bias", "dead-units", "cure-dead-elu", "cure-dead-prelu"),
            *_problem("dead-adam", "dead-units", "cure-dead-leaky"),
            *_problem("dead-one-layer", "dead-units", "cure-dead-one-leaky", "cure-dead-one-elu"),
        ),
    ),
    Chapter(
        "Depth and shortcuts",
        "A deeper plain net trains worse than a shallow one: the identity is hard to learn. Shortcuts provide it.",
        (
            *_problem(
                "plain-57",
                "",
                *("residual-57", "plain-5", "plain-21", "residual-5", "residual-21"),
                degrades_after="plain-5",
            ),
            *_problem(
                "plain-batchnorm-57",
                "exploding",
                *("residual-batchnorm-57", "plain-batchnorm-5", "plain-batchnorm-21"),
                *("residual-batchnorm-5", "residual-batchnorm-21"),
            ),
            *_problem("plain-1001", "vanishing", "residual-1001"),
            *_problem("convnet-20", "", "resnet-20"),
            *_problem("convnet-56", "exploding", "resnet-56"),
            *_problem("convnet-110", "exploding", "resnet-110", "resnet-1202"),
            *_problem("attention-post", "vanishing", "attention-pre"),
        ),
    ),
    Chapter(
        "Gradients over time",
        "A recurrent net multiplies the gradient at every time step, so a long sequence acts like a deep net.",
        (
            *_problem("adding-rnn", "vanishing", "adding-lstm", "adding-gru"),
            *_problem("explode-pixels", "exploding", "cure-pixels-clip"),
            *_problem("explode-pixels-radius", "exploding", partner="cure-pixels-clip"),
        ),
    ),
    Chapter(
        "Layer-wise pretraining",
        "First each layer learns by itself, so no gradient has to cross the depth; then the whole net is fine-tuned.",
        (
            *_problem(
                "pretrain-none",
                "vanishing",
                *("pretrain-autoencoder", "pretrain-rbm", "pretrain-adam", "pretrain-xavier!vanishing"),
            ),
        ),
    ),
    Chapter(
        "Number formats",
        "In half precision a gradient below 6e-8 becomes exactly 0.",
        (
            *_problem(
                "underflow-fp16",
                "underflow vanishing",
                *("cure-underflow-scale", "cure-underflow-bf16"),
                "underflow-fp16-1024!underflow vanishing",
            ),
        ),
    ),
)  # fmt: skip
"""All presets, each once."""

_BY_NAME = {entry.name: (chapter, entry) for chapter in CHAPTERS for entry in chapter.entries}


def place_of(name: str) -> tuple[Chapter, PresetEntry] | None:
    """Return the chapter of a preset and its entry; None where no preset has that name."""
    return _BY_NAME.get(name)


def pair_of(name: str) -> tuple[str, str] | None:
    """Return a preset and its partner, the problem first and its cure second; None where it has no partner."""
    place = _BY_NAME.get(name)
    if place is None or not place[1].partner:
        return None
    entry = place[1]
    return (entry.partner, entry.name) if entry.cures else (entry.name, entry.partner)
