"""The PresetsScreen lists the presets as a curriculum: in chapters, each problem with its cures beneath it."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradtui.experiment import to_dict
from gradtui.experiment.presets import load_preset
from gradtui.experiment.presets.curriculum import CHAPTERS, Chapter, Entry, place_of
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.choice_list import ChoiceList
from gradtui.words import net_in_words


@dataclass(frozen=True)
class ChosenPreset:
    """A ChosenPreset is the answer of the list: a preset, and whether its partner is to be trained beside it."""

    name: str
    beside: str = ""
    """The preset that is trained beside it; "" opens it in the builder."""


class PresetsScreen(OneAnswer[ChosenPreset | None], ModalScreen[ChosenPreset | None]):
    """The PresetsScreen lets the person choose a preset by arrows or by typing, and says what the chosen one shows.

    Args:
        current: the name of the preset that is open, under which the cursor stands at first.
    """

    DEFAULT_CSS = """
    PresetsScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 130; height: 90%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
        & Input, & Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
        & OptionList {
            height: 1fr; border: none; background: $surface; padding: 0; scrollbar-size-vertical: 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        & .option-list--option { padding: 0 1; }
        & OptionList > .option-list--option-highlighted { background: $block-cursor-background; }
        &:ansi OptionList > .option-list--option-highlighted { background: ansi_default; text-style: reverse; }
        & #preset-list { height: 1fr; layout: vertical; }
        & #preset-detail { height: 8; padding: 0 1; border-top: solid $border; }
        &.-wide #preset-list { layout: horizontal; }
        &.-wide OptionList { width: 3fr; height: 100%; }
        &.-wide #preset-detail { width: 2fr; height: 100%; border-top: none; border-left: solid $border; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("tab", "beside", "beside its partner", priority=True),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    def __init__(self, current: str = "") -> None:
        super().__init__()
        self.current = current

    def compose(self) -> ComposeResult:
        """Yield the field to search in, the list, and what the chosen preset shows."""
        with Vertical() as frame:
            frame.border_title = "Presets"
            frame.border_subtitle = "type to search · ⏎ open · tab train both · esc back"
            yield Input(placeholder="search")
            with Container(id="preset-list"):
                found = ChoiceList()
                # The keys are the input's; the arrows reach the list through the screen.
                found.can_focus = False
                yield found
                yield Static(id="preset-detail")

    def on_mount(self) -> None:
        """List all presets."""
        self.search("")

    def search(self, words: str) -> None:
        """List the presets whose name, description or chapter contains every one of some words."""
        wanted = words.lower().split()
        found = self.query_one(OptionList)
        found.clear_options()
        for chapter in CHAPTERS:
            matching = [entry for entry in chapter.entries if _matches(chapter, entry, wanted)]
            if matching:
                found.add_option(Option(Content.styled(chapter.title, "bold $accent"), disabled=True))
            for entry in matching:
                found.add_option(Option(_line(entry), id=entry.name))
        self._highlight(self.current if not words and place_of(self.current) else None)

    def _highlight(self, name: str | None) -> None:
        found = self.query_one(OptionList)
        if name is not None:
            found.highlighted = found.get_option_index(name)
        else:
            first = next((at for at in range(found.option_count) if found.get_option_at_index(at).id), None)
            found.highlighted = first
        self._describe()

    def _describe(self) -> None:
        self.query_one("#preset-detail", Static).update(
            _detail(self._chosen) if self._chosen else Content("")
        )

    @property
    def _chosen(self) -> str | None:
        found = self.query_one(OptionList)
        return None if found.highlighted is None else found.get_option_at_index(found.highlighted).id

    @on(Input.Changed)
    def _searching(self, event: Input.Changed) -> None:
        self.search(event.value)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._describe()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self._chosen is not None:
            self.dismiss(ChosenPreset(self._chosen))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self.dismiss(ChosenPreset(event.option.id))

    def action_beside(self) -> None:
        """Choose the preset and its partner."""
        place = place_of(self._chosen or "")
        if place is not None and place[1].partner:
            self.dismiss(ChosenPreset(place[1].name, place[1].partner))

    def action_move(self, by: int) -> None:
        """Move to the preset so many places further on, over the headings."""
        found = self.query_one(OptionList)
        for _ in range(abs(by)):
            at = found.highlighted
            (found.action_cursor_down if by > 0 else found.action_cursor_up)()
            if at is not None and found.highlighted is not None and (found.highlighted - at) * by < 0:
                # It does not go around.
                found.highlighted = at
                break


def _matches(chapter: Chapter, entry: Entry, wanted: list[str]) -> bool:
    text = f"{entry.name} {load_preset(entry.name).description} {chapter.title}".lower()
    return all(word in text for word in wanted)


def _line(entry: Entry) -> Content:
    indent, style = ("   → ", "$success") if entry.cures and not entry.shows else ("   → ", "$warning")
    if not entry.cures:
        indent, style = " ", "$foreground"
    name = f"{entry.name:<{28 - len(indent)}}"
    return Content.assemble(
        (indent, style), (name, "bold"), (load_preset(entry.name).description, "$secondary")
    )


def _detail(name: str) -> Content:
    """Return what a preset shows, how it ends, what it trains, and what to see it beside."""
    experiment, place = load_preset(name), place_of(name)
    assert place is not None
    chapter, entry = place
    ends = (
        Content.styled(f"✖ ends with {', '.join(entry.shows)}", "$error")
        if entry.shows
        else Content.styled("✓ ends without a finding", "$success")
    )
    lines = [
        Content.styled(name, "bold $accent"),
        Content(f"{experiment.description}."),
        ends,
        Content.styled(f"{net_in_words(to_dict(experiment))} · {experiment.run.steps:,} steps", "$secondary"),
    ]
    if entry.partner:
        lines.append(Content.assemble(("tab", "bold $accent"), f" trains it beside {entry.partner}"))
    lines.append(Content.styled(f"{chapter.title}: {chapter.about}", "$secondary"))
    return Content("\n").join(lines)
