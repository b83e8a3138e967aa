"""List the groups of a net's blocks, which a person edits in place to build the net."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gradtui.experiment import Experiment, ExperimentError, Group, net_shape
from gradtui.ui.widgets.choice_list import ChoiceList
from gradtui.words import several


class ModelPane(ChoiceList):
    """The ModelPane lists the groups of an experiment's net, and posts changes that the person makes."""

    HELP = "## Model\n\nThe groups of blocks, from input to output."
    BINDINGS = [
        Binding("k", "cursor_up", show=False),
        Binding("j", "cursor_down", show=False),
        Binding(
            "enter",
            "select",
            "edit group",
            key_display="⏎",
            tooltip="Change the fields of the group.",
            id="model.edit",
        ),
        Binding(
            "left,h", "deepen(False)", "fewer blocks", show=False, tooltip="Take a block away from the group."
        ),
        Binding("right,l", "deepen(True)", "more blocks", show=False, tooltip="Add a block to the group."),
        Binding("a", "change('add')", "add", tooltip="Add a group after this one.", id="model.add"),
        Binding(
            "d",
            "change('duplicate')",
            "duplicate",
            show=False,
            tooltip="Add a copy of this group after it.",
            id="model.duplicate",
        ),
        Binding(
            "delete,backspace",
            "change('remove')",
            "remove",
            key_display="⌫",
            tooltip="Remove this group.",
            id="model.remove",
        ),
        Binding(
            "K,shift+up",
            "change('up')",
            "move up",
            show=False,
            tooltip="Move this group towards the input.",
            id="model.up",
        ),
        Binding(
            "J,shift+down",
            "change('down')",
            "move down",
            show=False,
            tooltip="Move this group towards the output.",
            id="model.down",
        ),
    ]
    DEFAULT_CSS = """
    ModelPane {
        height: auto; max-height: 12; padding: 0; scrollbar-size-vertical: 1;
        background: $background; text-wrap: nowrap; text-overflow: ellipsis;
        &:focus { background: $background; background-tint: $background 0%; }
        & > .option-list--option { padding: 0 1; }
    }
    """

    experiment: reactive[Experiment | None] = reactive(None)
    edited: reactive[bool] = reactive(False)
    """Whether the charts show another experiment than the one that is edited here."""
    opened: reactive[str] = reactive("")
    """The name of that experiment, where it was opened after the run of the charts and is not an edit of it."""

    def __init__(self) -> None:
        super().__init__(classes="pane")
        # The place of the cursor after an edit that moves its group, once it comes back as an experiment.
        self._goes_to: int | None = None
        self._counts = ("", "")
        self._deep = ""

    @dataclass
    class Edit(Message):
        """Request to edit the fields of a group."""

        index: int

    @dataclass
    class Changed(Message):
        """Groups were added, removed, moved or repeated."""

        net: tuple[Group, ...]

    def watch_experiment(self, before: Experiment | None, experiment: Experiment | None) -> None:
        """List the groups again, with the cursor in its place."""
        if experiment is None:
            return
        if before is not None and (before.net, before.data) == (experiment.net, experiment.data):
            # The net has not changed, only other fields have.
            return
        here = self.highlighted or 0 if self._goes_to is None else self._goes_to
        self._goes_to = None
        texts = [describe(index, group) for index, group in enumerate(experiment.net)]
        if len(texts) == self.option_count:
            # New options would make Textual lay out the whole screen.
            for index, text in enumerate(texts):
                if text != self.get_option_at_index(index).prompt:
                    self.replace_option_prompt_at_index(index, text)
        else:
            self.clear_options()
            self.add_options(map(Option, texts))
        self.highlighted = min(here, len(experiment.net) - 1)
        try:
            shape = net_shape(experiment)
        except ExperimentError as error:
            # The file of the data may have been deleted; show the error, so that the person can correct it.
            self.border_title, self.border_subtitle = "Model", Content(str(error))
            return
        self._counts = several(len(shape.layers), "layer"), several(shape.parameters, "parameter")
        # The charts show projections too, which do not lie on the path from input to output.
        self._deep = f", {shape.depth:,} deep" if shape.depth != len(shape.layers) else ""
        self.watch_edited()

    def watch_opened(self) -> None:
        """Write the name in the frame."""
        self.watch_edited()

    def watch_edited(self) -> None:
        """Write in the frame whether this net was trained."""
        layers, parameters = self._counts
        if self.opened:
            self.border_title = f"{self.opened} · {layers}"
        else:
            self.border_title = f"Model · {layers}" + (" · edited" if self.edited else self._deep)
        self.border_subtitle = "○ not trained yet" if self.edited else parameters

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Edit(event.option_index))

    def stay(self) -> None:
        """Leave the cursor in its place, since the edit was refused."""
        self._goes_to = None

    def action_deepen(self, more: bool) -> None:
        """Add a block to the group under the cursor, or remove one."""
        if self.experiment is None or self.highlighted is None:
            return
        net = list(self.experiment.net)
        group = net[self.highlighted]
        net[self.highlighted] = _with_repeat(group, group.repeat + (1 if more else -1))
        self.post_message(self.Changed(tuple(net)))

    def action_change(self, what: str) -> None:
        """Add, duplicate, remove or move the group under the cursor."""
        if self.experiment is None or self.highlighted is None:
            return
        net, here = list(self.experiment.net), self.highlighted
        if what in ("add", "duplicate"):
            # A new group is one block like its neighbour, since such a block always fits there.
            net.insert(here + 1, net[here] if what == "duplicate" else _with_repeat(net[here], 1))
            here += 1
        elif what == "remove":
            if len(net) == 1:
                self.notify("A net has at least one group of blocks.", severity="warning")
                return
            del net[here]
        else:
            there = here + (-1 if what == "up" else 1)
            if not 0 <= there < len(net):
                return
            net[here], net[there] = net[there], net[here]
            here = there
        if tuple(net) != self.experiment.net:
            self._goes_to = here
        self.post_message(self.Changed(tuple(net)))


def _with_repeat(group: Group, repeat: int) -> Group:
    from msgspec.structs import replace

    return replace(group, repeat=max(1, repeat))


DETAIL_WIDTH = 30
"""The columns of the lines beneath a group's first one: what the narrowest column of the lab has."""


def describe(index: int, group: Group) -> Content:
    """Return lines on a group: what it is, and how it is initialised and wired, broken to the narrowest pane."""
    nonlinearity = "" if group.block in ("lstm", "gru") else f" {group.activation}"
    first = f"{index + 1} {group.block} {group.width} ×{group.repeat:,}{nonlinearity}"
    start = group.init if group.gain == 1 else f"{group.init} ×{group.gain:g}"
    parts = [start]
    if group.layers > 1:
        parts.append(f"{group.layers} layers")
    if group.norm != "none":
        parts.append(f"{group.norm} norm")
    if group.shortcut != "none":
        parts.append("shortcut" if group.shortcut == "identity" else group.shortcut)
    if group.order == "pre":
        parts.append("pre")
    lines = wrap(" · ".join(part.replace(" ", "\xa0") for part in parts), DETAIL_WIDTH)
    return Content.assemble(
        (first, "bold"),
        *(
            ("\n  " + line.removeprefix("· ").removesuffix(" ·").replace("\xa0", " "), "$secondary")
            for line in lines
        ),
    )
