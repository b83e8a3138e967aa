"""The PresetsScreen lists the presets as a curriculum: in chapters, each problem with its cures beneath it."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gradtui.experiment import to_dict
from gradtui.experiment.presets import load_preset
from gradtui.experiment.presets.curriculum import CHAPTERS, Chapter, PresetEntry, place_of
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.choice_list import Found, SearchableList
from gradtui.words import net_in_words, several


@dataclass(frozen=True)
class ChosenPreset:
    """A ChosenPreset is the answer of the list: a preset, and whether its partner is to be trained beside it."""

    name: str
    beside: str = ""
    """The preset that is trained beside it; "" opens it in the builder."""


class PresetsScreen(ModalScreen[ChosenPreset | None], OneAnswer[ChosenPreset | None]):
    """The PresetsScreen lets the person choose a preset by arrows or by typing, and says what the chosen one shows.

    Args:
        current: the name of the preset that is open, under which the cursor is at first.
    """

    DEFAULT_CSS = """
    PresetsScreen {
        align: center middle;
        & > Vertical {
            width: 96%; max-width: 200; height: 90%; border: round $accent;
            border-title-color: $accent; border-subtitle-color: $text-muted; background: $surface;
        }
        & #preset-detail { height: 9; padding: 0 1; border-top: solid $border; }
        &.-wide, &.-widest {
            & SearchableList Container { layout: horizontal; }
            & OptionList { width: 3fr; height: 100%; }
            & #preset-detail { width: 2fr; height: 100%; border-top: none; border-left: solid $border; }
        }
        /* Every description has room in the list, and the rest is enough for the details. */
        &.-widest OptionList { width: 1fr; }
        &.-widest #preset-detail { width: 50; }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (190, "-widest")]
    BINDINGS = [
        Binding("escape", "dismiss(None)", "back"),
        Binding("tab", "beside", "beside its partner", priority=True),
    ]

    def __init__(self, current: str = "") -> None:
        super().__init__()
        self.current = current

    def compose(self) -> ComposeResult:
        """Yield the field to search in, the list, and what the chosen preset shows."""
        with Vertical() as frame:
            frame.border_title = "Presets"
            frame.border_subtitle = "type to search · enter open · tab train both · esc back"
            yield SearchableList(self._found, Static(id="preset-detail"))

    def _found(self, text: str) -> Found:
        """Return the presets whose name, description or chapter contains every word of a text."""
        wanted = text.lower().split()
        options: list[Option] = []
        for number, chapter in enumerate(CHAPTERS, 1):
            matching = [entry for entry in chapter.entries if _matches(chapter, entry, wanted)]
            if matching:
                options.append(
                    Option(Content.styled(f"{number}  {chapter.title}", "bold $accent"), disabled=True)
                )
            options += [Option(_line(entry), id=entry.name) for entry in matching]
        keys = [option.id for option in options]
        # A name that is typed whole is that preset, also where others contain it.
        named = text.strip() or self.current
        if named in keys:
            return Found(options, keys.index(named))
        return Found(options, next((at for at, key in enumerate(keys) if key is not None), None))

    @property
    def _chosen(self) -> str | None:
        return self.query_one(SearchableList).chosen

    @on(OptionList.OptionHighlighted)
    @on(Input.Changed)
    def _describe(self) -> None:
        name = self._chosen
        self.query_one("#preset-detail", Static).update(_detail(name) if name else Content(""))

    @on(SearchableList.Chosen)
    def _choose(self, event: SearchableList.Chosen) -> None:
        if event.key is not None:
            self.dismiss(ChosenPreset(event.key))

    def action_beside(self) -> None:
        """Choose the preset and its partner."""
        place = place_of(self._chosen or "")
        if place is not None and place[1].partner:
            self.dismiss(ChosenPreset(place[1].name, place[1].partner))


def _matches(chapter: Chapter, entry: PresetEntry, wanted: list[str]) -> bool:
    text = f"{entry.name} {load_preset(entry.name).description} {chapter.title}".lower()
    return all(word in text for word in wanted)


def _line(entry: PresetEntry) -> Content:
    indent, style = ("   ✓ ", "$success") if entry.cures and not entry.shows else ("   → ", "$warning")
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
    if entry.degrades_after:
        ends = Content.styled(
            f"✖ ends with degradation if {entry.degrades_after} was trained before", "$error"
        )
    elif entry.shows:
        ends = Content.styled(f"✖ ends with {', '.join(entry.shows)}", "$error")
    else:
        ends = Content.styled("✓ ends without a problem", "$success")
    lines = [
        Content.styled(name, "bold $accent"),
        Content(f"{experiment.description}."),
        ends,
        Content.styled(
            f"{net_in_words(to_dict(experiment))} · {several(experiment.run.steps, 'step')}", "$secondary"
        ),
    ]
    if entry.partner:
        lines.append(Content.assemble(("tab", "bold $accent"), f" trains it beside {entry.partner}"))
    number = CHAPTERS.index(chapter) + 1
    lines.append(Content.styled(f"{number}  {chapter.title}. {chapter.about}", "$secondary"))
    return Content("\n").join(lines)
