"""List the keys of the lab, and rank them for the key line.

The opening screen shows the keys of the lab before the lab is imported.
"""

from __future__ import annotations

from typing import Any

from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen

WHY_KEY = Binding(
    "w", "why", "why", tooltip="Explain what was found, why it happens, and what helps.", id="lab.why"
)

NOTE_KEY = Binding(
    "quotation_mark",
    "note",
    "note",
    key_display='"',
    show=False,
    tooltip="Write a note on this run.",
    id="run.note",
)
"""The key that every screen with a run has."""

LIVE_KEY = Binding(
    "escape", "live", "newest", key_display="esc", tooltip="Go back to the newest step.", id="lab.live"
)
"""The key that leads back to the newest step; it stands before the one that leads back from the screen."""

TIME_KEYS: list[BindingType] = [
    Binding("m", "metric(True)", "metric", tooltip="Show another metric of the layers.", id="lab.measure"),
    Binding(
        "M",
        "metric(False)",
        "previous metric",
        show=False,
        tooltip="Go back to the metric before.",
        id="lab.measure-back",
    ),
    Binding(
        "P",
        "factors",
        "product",
        show=False,
        tooltip="Show the factors that backpropagation multiplies, and their product.",
        id="lab.product",
    ),
    Binding(
        "D",
        "plane",
        "what it computes",
        tooltip="Show the class that the net gives each point.",
        id="lab.plane",
    ),
    Binding(
        "b",
        "first_bad",
        "first bad step",
        tooltip="Go to the step where the problem began.",
        id="lab.first-bad",
    ),
    Binding(
        "slash",
        "find_layer",
        "find",
        key_display="/",
        show=False,
        tooltip="Find a layer by name.",
        id="lab.find",
    ),
]
"""The keys that move through a run, on every screen that shows one."""

LAB_KEYS: list[BindingType] = [
    Binding("space", "start", "train", key_display="space", tooltip="Train this experiment.", id="lab.start"),
    Binding(
        "space", "continue", "continue", key_display="space", tooltip="Continue this run.", id="lab.continue"
    ),
    Binding(
        "space", "send('pause')", "pause", key_display="space", tooltip="Pause the training.", id="lab.pause"
    ),
    Binding(
        "space",
        "send('resume')",
        "resume",
        key_display="space",
        tooltip="Resume the training.",
        id="lab.resume",
    ),
    Binding(
        "full_stop",
        "send('step')",
        "step",
        key_display=".",
        tooltip="Train one step, then pause.",
        id="lab.step",
    ),
    Binding("x", "send('stop')", "stop", tooltip="End the training here.", id="lab.stop"),
    Binding(
        "R",
        "restart",
        "restart",
        show=False,
        tooltip="Stop, and train again from the start.",
        id="lab.restart",
    ),
    Binding(
        "i",
        "preflight",
        "check at init",
        tooltip="Measure the net before training.",
        id="lab.initial",
    ),
    Binding("1", "tab('net')", "net", show=False, tooltip="Go to the net.", id="lab.net"),
    Binding(
        "2", "tab('gradient')", "gradient", show=False, tooltip="Go to the gradients.", id="lab.gradient"
    ),
    Binding("3", "tab('curves')", "curves", show=False, tooltip="Go to loss and accuracy.", id="lab.curves"),
    Binding("4", "tab('findings')", "findings", show=False, tooltip="Go to the findings.", id="lab.findings"),
    Binding(
        "o", "edit('options')", "options", tooltip="Change any setting of the experiment.", id="lab.options"
    ),
    Binding("p", "edit('presets')", "presets", tooltip="Open a built-in example.", id="lab.presets"),
    Binding(
        "B",
        "beside",
        "train with its partner",
        show=False,
        tooltip="Train this preset and its partner: the problem and its cure.",
        id="lab.beside",
    ),
    Binding(
        "c",
        "edit('cures')",
        "apply a cure",
        tooltip="Edit the experiment: apply a cure to it.",
        id="lab.cures",
    ),
    WHY_KEY,
    Binding(
        "f",
        "fork_with_cure",
        "fix it",
        tooltip="Train a copy of this run with a cure beside it.",
        id="lab.treat",
    ),
    Binding(
        "T",
        "try_all_cures",
        "try all cures",
        tooltip="Train and rank every cure of this run.",
        id="lab.try-all",
    ),
    Binding(
        "A",
        "repair",
        "fix in rounds",
        tooltip="Train, apply the best advice, and train again.",
        id="lab.repair",
    ),
    Binding(
        "F",
        "end_comparison",
        "both / each",
        tooltip="Show both runs, then each of them alone.",
        id="lab.alone",
    ),
    Binding(
        "ctrl+o",
        "edit('open')",
        "open experiment",
        show=False,
        tooltip="Open a TOML file.",
        id="lab.open-file",
    ),
    Binding(
        "s",
        "edit('save')",
        "save experiment",
        show=False,
        tooltip="Save the experiment as TOML.",
        id="lab.save",
    ),
    Binding(
        "W",
        "report",
        "write report",
        show=False,
        tooltip="Write this run as a page to share.",
        id="lab.report",
    ),
    Binding("u", "edit('undo')", "undo edit", show=False, tooltip="Undo the last edit.", id="lab.undo"),
    Binding(
        "U",
        "edit('redo')",
        "redo edit",
        show=False,
        tooltip="Redo the edit that was undone last.",
        id="lab.redo",
    ),
    *TIME_KEYS,
    LIVE_KEY,
    Binding(
        "escape",
        "back",
        "back",
        key_display="esc",
        tooltip="Go back to the list of runs, studies or cures, or to the previous run.",
        id="lab.back",
    ),
    Binding(
        "N", "draw_net", "draw net", tooltip="Show the net as blocks, or the charts again.", id="lab.draw"
    ),
    Binding(
        "Y",
        "edit('copy')",
        "copy experiment",
        show=False,
        tooltip="Copy the experiment as TOML.",
        id="lab.copy",
    ),
    Binding(
        "Z",
        "edit('copy-string')",
        "copy experiment as a string",
        show=False,
        tooltip="Copy the experiment as a short string, which gradtui STRING opens.",
        id="lab.copy-string",
    ),
    Binding(
        "z", "fill", "full screen", show=False, tooltip="Show this pane on the full screen.", id="lab.fill"
    ),
    Binding("t", "app.learn", "lessons", tooltip="Open short lessons with live trainings.", id="lab.lessons"),
    Binding(
        "E", "app.lesson('answer')", "answer", tooltip="Answer the lesson's question.", id="lesson.answer"
    ),
    Binding(
        "H", "app.lesson('hint')", "hint", tooltip="Show a hint, or show the text again.", id="lesson.hint"
    ),
    Binding(
        "greater_than_sign",
        "app.lesson('next')",
        "next step",
        key_display=">",
        tooltip="Go to the next step of the lesson.",
        id="lesson.next",
    ),
    Binding(
        "less_than_sign",
        "app.lesson('back')",
        "previous step",
        show=False,
        tooltip="Go back to the step before.",
        id="lesson.back",
    ),
    Binding(
        "less_than_sign",
        "rate(False)",
        "smaller learning rate",
        show=False,
        tooltip="Make the learning rate smaller, also while it trains.",
        id="lab.rate-down",
    ),
    Binding(
        "greater_than_sign",
        "rate(True)",
        "larger learning rate",
        show=False,
        tooltip="Make the learning rate larger, also while it trains.",
        id="lab.rate-up",
    ),
    Binding("r", "runs", "runs", tooltip="Open another run.", id="lab.runs"),
    Binding(
        "S", "studies", "studies", show=False, tooltip="Open the studies of many runs.", id="lab.studies"
    ),
    NOTE_KEY,
    Binding("L", "log", "log", show=False, tooltip="Show what the trainer printed.", id="lab.log"),
    Binding("tab", "pane(1)", "next pane", show=False, id="lab.next"),
    Binding("shift+tab", "pane(-1)", "previous pane", show=False, id="lab.before"),
]

PAGE = 10
"""The columns or lines that a key with shift moves by."""

ZOOM_TIME_KEYS: list[BindingType] = [
    Binding(
        "right_square_bracket",
        "zoom_time(0.5)",
        "zoom time",
        key_display="] [",
        tooltip="Show a shorter stretch of time; [ shows a longer one.",
        id="gradient.time-in",
    ),
    Binding(
        "left_square_bracket",
        "zoom_time(2.0)",
        "longer stretch",
        show=False,
        tooltip="Show a longer stretch of time.",
        id="gradient.time-out",
    ),
]
"""The keys of every chart over time that is drawn from the requested stretch."""

GRADIENT_KEYS: list[BindingType] = [
    Binding(
        "left,h",
        "layer(-1)",
        "layer",
        key_display="←→",
        tooltip="Move through the layers.",
        id="gradient.left",
    ),
    Binding("right,l", "layer(1)", "next layer", show=False, id="gradient.right"),
    Binding("shift+left", f"layer(-{PAGE})", "ten layers back", show=False, id="gradient.left-far"),
    Binding("shift+right", f"layer({PAGE})", "ten layers forward", show=False, id="gradient.right-far"),
    Binding("home,circumflex_accent", "end(False)", "first layer", show=False, id="gradient.first"),
    Binding("end,dollar_sign", "end(True)", "last layer", show=False, id="gradient.last"),
    Binding(
        "up,k", "time(-1)", "time", key_display="↑↓", tooltip="Move through time.", id="gradient.earlier"
    ),
    Binding("down,j", "time(1)", "later", show=False, tooltip="Go to a later step.", id="gradient.later"),
    Binding("shift+up,K,pageup", f"time(-{PAGE})", "10 steps back", show=False, id="gradient.far-back"),
    Binding("shift+down,J,pagedown", f"time({PAGE})", "10 steps forward", show=False, id="gradient.far-on"),
    Binding(
        "plus,equals_sign",
        "zoom(0.5)",
        "zoom",
        key_display="+ -",
        tooltip="Show fewer layers, wider; - shows more of them.",
        id="gradient.zoom-in",
    ),
    Binding(
        "minus",
        "zoom(2.0)",
        "more layers",
        show=False,
        tooltip="Show more layers, narrower.",
        id="gradient.zoom-out",
    ),
    *ZOOM_TIME_KEYS,
    Binding(
        "0",
        "whole",
        "whole",
        tooltip="Show all layers and the whole run again.",
        id="gradient.whole",
        show=False,
    ),
    Binding(
        "enter",
        "open",
        "open layer",
        key_display="⏎",
        tooltip="Show all about this layer.",
        id="gradient.open",
    ),
]
"""The keys of the charts of the layers."""

FIXING_KEYS = frozenset({"lab.why", "lab.treat", "lab.try-all", "lab.first-bad"})
"""The ids of the keys that follow in the key line once a problem was found; 80 columns have room for all of them."""

REPAIR = "lab.repair"
"""The id of the key that comes after these."""

LEADING_BACK = frozenset({"lab.live", "lab.back", "lab.alone"})
"""The ids of the keys that lead back to where the person was, or to the other one of two runs."""

TRAINING_KEYS = frozenset({"lab.start", "lab.continue", "lab.pause", "lab.resume", "lab.step", "lab.stop"})
"""The ids of the keys that stand first in the key line."""


def rank_of(active: ActiveBinding, screen: Screen[Any], *, found: bool) -> int:
    """Return the place of a key of the lab in its key line, by what matters now.

    found: whether a problem was found, so that the keys that lead to a fix come next after those of training.
    """
    if active.binding.id in TRAINING_KEYS or (active.binding.id or "").startswith("lesson."):
        return 0
    if active.binding.id in LEADING_BACK or (found and active.binding.id in FIXING_KEYS):
        return 1
    if active.binding.id == "lab.plane" or (found and active.binding.id == REPAIR):
        return 2
    if active.node is screen.app:
        return {"quit": 6, "command_palette": 7}.get(active.binding.action, 3)
    return 5 if active.node is screen else 4
