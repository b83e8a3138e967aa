"""Show the list of all keys that do something now, the most useful ones first, and what words mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from rich.console import Console, ConsoleOptions, Group
from rich.console import RenderResult as RichLines
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Markdown, Static

from gradtui.ui.key_actions import KeyAction, help_of, key_actions
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import TextFrame
from gradtui.ui.widgets.status_bar import TitleLine

MOST_USED = 8
"""The keys that stand first: those with which the key line begins."""
WIDEST_KEYS, WIDEST_DESCRIPTION = 18, 22
"""The most columns of the keys and of their descriptions."""

WORDS = """\
## What the words mean

**gradient of a layer**: how strongly the loss reacts to the weights of the layer. A step changes the weights by \
it, so a layer without a gradient learns nothing. One number stands for all weights of the layer: the L2 norm.

**input, output**: layer 1 is nearest to the data, the last layer gives the answer. The gradient runs from the \
output to the input. **input ÷ output** is the output gradient of the first hidden layer divided by that of the last \
one: near 1 is healthy, 1e-12 means a vanishing gradient, 1e6 an exploding one.

**output gradient**: how strongly the loss reacts to the output of a layer, not to its weights. The findings, verdicts \
and tables compare the layers by it. The line above the bars compares what the bars show, so its number differs.

**vanishing, exploding**: on its way each layer multiplies the gradient by a factor. If the factors are below 1, \
almost nothing reaches the input; if they are above 1, it becomes huge, and then NaN.

**1e-12**: 0.000000000001. The axes are logarithmic: each power of ten, a *decade*, is equally high.

**median, spread**: the line across a bar is the median of the last 50 steps, and the paler tones are their range.

**healthy**: the shaded band. The gradients of nets that learn lie in it. It is not drawn once the norm of the \
whole gradient is 100 times as large as at the start.

**update ÷ weight**: how much one step changes the weights of a layer, as a share of their size. Healthy is \
1e-4 to 1e-2.

**saturated**: a unit at the flat end of sigmoid or tanh, where the slope is almost 0. **dead**: a unit \
whose slope is 0 for every example, such as a ReLU unit that never fires: no gradient passes through it.

**clipping**: a gradient that is too long is shortened to a limit before the step.

**initialisation**: how the first weights are drawn. He, Xavier and LeCun choose their size so that signals \
keep the same size from layer to layer.

**theory**: the gradient that mean-field theory of wide nets expects before any training.

**lag**: steps back in time, in a recurrent net.

**mean**: the mean output of a layer's units. One far from 0 adds a constant to what the next layer gets.

**accuracy**: the share of right answers. Where the answers are numbers, as in the adding problem, one counts as \
right if it is off by at most 0.04.

**guessing**: the loss of a net that gives every class the same probability.

**finding**: a named problem, with its numbers. **cure**: a change that may fix it. **checkpoint**: a saved state \
from which a training continues.

**recording**: the share of the time that measuring takes.
"""


class SideBySide:
    """SideBySide writes entries behind one another and begins a new line before one that has no room, so that only an
    entry longer than a whole line is broken.
    """

    GAP = 3
    """The blanks between two entries."""

    def __init__(self, entries: Sequence[Text]) -> None:
        self.entries = entries

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RichLines:
        """Yield the lines."""
        line = Text()
        for entry in self.entries:
            if line and line.cell_len + self.GAP + entry.cell_len > options.max_width:
                yield line
                line = Text()
            line += Text(" " * self.GAP) + entry if line else entry
        yield line


class KeyTable(Widget):
    """A KeyTable lists one group of keys: each key, what it does, and its tooltip; or, side by side, keys that move."""

    COMPONENT_CLASSES = {"keys--title", "keys--key", "keys--tooltip"}
    DEFAULT_CSS = """
    KeyTable {
        height: auto; margin: 0 0 1 0;
        & > .keys--title { color: $accent; text-style: bold; }
        & > .keys--key { color: $accent; }
        & > .keys--tooltip { color: $secondary; }
    }
    """

    def __init__(
        self,
        title: str,
        actions: list[KeyAction],
        *,
        close: bool = False,
    ) -> None:
        super().__init__()
        self.group_title = title
        self.actions = actions
        self.close = close

    def render(self) -> RenderResult:
        """Return the title, and a line for each action."""
        ground = self.rich_style
        title, key, tooltip = (
            ground + self.get_component_rich_style(f"keys--{part}", partial=True)
            for part in ("title", "key", "tooltip")
        )
        if self.close:
            entries = [
                Text.assemble((" ".join(action.keys), key), f" {action.description}")
                for action in self.actions
            ]
            return Group(Text(self.group_title, title), SideBySide(entries))
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        # Each group has columns of its own width: a long name in one leaves the sentences of the others their room.
        table.add_column(
            width=min(WIDEST_KEYS, max(len(" ".join(action.keys)) for action in self.actions)),
            justify="right",
        )
        table.add_column(
            width=min(WIDEST_DESCRIPTION, max(len(action.description) for action in self.actions))
        )
        table.add_column(ratio=1)
        for action in self.actions:
            dim = "" if action.enabled else "dim"
            keys, description = Text(" ".join(action.keys), key), Text(action.description, dim)
            table.add_row(keys, description, Text(action.tooltip, tooltip))
        return Group(Text(self.group_title, title), table) if self.group_title else table


class KeysScreen(ModalScreen[None], OneAnswer[None]):
    """The KeysScreen lists what can be done on the screen beneath it; a key shows what the words mean.

    Args:
        screen: the screen below; its keys are read now, while its pane has the focus.
        words: rewrites the help text of the pane, for terminals that lack the symbols of keys.
    """

    DEFAULT_CSS = """
    KeysScreen {
        align: center middle;
        & > TextFrame { max-width: 100; }
        & #words { display: none; }
        &.-words #words { display: block; }
        &.-words .keys { display: none; }
        & Markdown { background: $surface; padding: 0; margin: 0; }
        & MarkdownH2 { color: $accent; text-style: bold; margin: 0; }
        & MarkdownParagraph { margin: 0 0 1 0; }
        & Markdown MarkdownBlock:dark > .code_inline, & Markdown MarkdownBlock:light > .code_inline {
            color: $accent; background: $surface; text-style: bold;
        }
    }
    """
    BINDINGS = [
        Binding("escape,question_mark,q", "dismiss(None)", "back", id="keys.back"),
        Binding("w", "words", "words", id="keys.words"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, screen: Screen[Any], words: Callable[[str], str] = str) -> None:
        super().__init__()
        self.help_text = words(help_of(screen))
        self.way = next((line.cut_way for line in screen.query(TitleLine)), "")
        self.groups = key_actions(screen)

    def compose(self) -> ComposeResult:
        """Yield the keys that are used most, the help text of the pane with its keys, then all others."""
        actions = [action for _, group in self.groups for action in group]
        # The screen's own, in the order of its key line: a dialog or a pane may have none of them.
        of_screens = (action for node, group in self.groups if isinstance(node, Screen) for action in group)
        first = list(islice((a for a in of_screens if a.shown and a.enabled and not a.moves), MOST_USED))
        moves = [action for action in actions if action.moves]
        with TextFrame("Keys"):
            if self.way:
                yield Static(Content(f"{self.way}\n"), classes="keys")
            if first:
                yield KeyTable("Most used", first).add_class("keys")
            if self.help_text:
                yield Markdown(self.help_text, classes="keys")
            for node, group in self.groups:
                left = [action for action in group if action not in first and not action.moves]
                if left:
                    title = title_of(node, self.help_text)
                    yield KeyTable(title, left).add_class("keys")
                if moves and isinstance(node, Screen):
                    # Behind the keys of the screen, before those of the app.
                    yield KeyTable("Moving", moves, close=True).add_class("keys")
            yield Markdown(WORDS, id="words")

    def on_mount(self) -> None:
        """Say which key shows the words."""
        self._write_frame()

    def _write_frame(self) -> None:
        frame, words = self.query_one(TextFrame), self.has_class("-words")
        frame.border_title = "Words" if words else "Keys"
        other = "keys" if words else "what the words mean"
        frame.keys = f"w {other} · esc back"

    def action_words(self) -> None:
        """Show what the words mean, or the keys again."""
        self.toggle_class("-words")
        self._write_frame()
        self.query_one(TextFrame).scroll_home(animate=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll down by some lines, or up if negative."""
        self.query_one(TextFrame).scroll_relative(y=lines, animate=False)


def title_of(node: DOMNode, help_text: str) -> str:
    """Return the title of a group of keys; "" if the help text above it already has it."""
    if node.BINDING_GROUP_TITLE:
        return node.BINDING_GROUP_TITLE
    if isinstance(node, Screen):
        return "This screen"
    if not isinstance(node, Widget):
        return "Everywhere"
    return "" if help_text else "Here"
