"""Write the lines over and under the list of runs: how many there are, and details of the one under the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from gradtui.runs.folder import name_without_time
from gradtui.runs.run_groups import RunGroup, StudyRow, figures_of
from gradtui.runs.run_info import RunInfo
from gradtui.ui.screens.run_note import on_one_line
from gradtui.words import duration, net_in_words, number, percent, printable

HINT = "findings:vanishing  depth>20  accuracy<50%  status:finished  tag:paper  name:sig*  optimizer.lr>0.1  -tag:old"
"""What a filter may look like, with one example a kind of word."""


@dataclass(frozen=True)
class RunCount:
    """A RunCount says how many runs there are, are shown and are marked."""

    runs: int = 0
    shown: int = 0
    marked: int = 0
    place: str = ""
    """The folder of the runs."""
    read: bool = False
    """Whether the folder has been read."""


class FilterField(Input):
    """A FilterField takes the filter; the examples stand beneath it while it is typed in, and else in it."""

    def __init__(self) -> None:
        super().__init__(placeholder=f"/ filter   {HINT}")

    def on_focus(self) -> None:
        """Say what the keys do."""
        self.placeholder = "enter shows the list · esc clears the filter"

    def on_blur(self) -> None:
        """Show examples."""
        self.placeholder = f"/ filter   {HINT}"


class RunsBar(Widget):
    """The RunsBar is the first line of the list: how many runs there are, and their folder."""

    DEFAULT_CSS = """
    RunsBar { height: 1; padding: 0 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    count: reactive[RunCount] = reactive(RunCount())

    def render(self) -> Content:
        """Return how many runs there are, and where they lie."""
        count, width = self.count, self.content_size.width
        left = Content.assemble(("gradtui", "bold $accent"), "  ", ("runs", "bold"), "  ")
        if count.shown != count.runs:
            left += Content(f"{count.shown:,} of {count.runs:,}")
        else:
            left += Content(f"{count.runs:,}" if count.read else "…")
        if count.marked:
            left += Content.styled(f"  ● {count.marked:,} marked", "$accent")
        room = width - left.cell_length - 2
        # A path is known by its end.
        place = count.place if len(count.place) <= room else "…" + count.place[1 - room :] if room > 1 else ""
        right = Content.styled(place, "$secondary")
        gap = max(2, width - left.cell_length - right.cell_length)
        return (left + Content(" " * gap) + right).truncate(width)


class RunDetail(Widget):
    """The RunDetail shows two lines on the run under the cursor.

    Args:
        names: what the list calls each run, by its folder.
    """

    DEFAULT_CSS = """
    RunDetail { height: 3; padding: 0 1; border-top: solid $border; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    info: reactive[RunInfo | None] = reactive(None)
    alike: reactive[int] = reactive(0)
    """How many runs differ from this one only in their seed, itself counted; 0 if there are none."""

    def __init__(self, names: Mapping[Path, str]) -> None:
        super().__init__()
        self.names = names

    def render(self) -> Content:
        """Return what is trained; beneath, what was found, the note on it, why it ended, and its folder."""
        info = self.info
        if info is None:
            return Content("")
        if isinstance(info, RunGroup):
            return _group_detail(info, self.content_size.width)
        if isinstance(info, StudyRow):
            return _study_detail(info)
        what = net_in_words(info.experiment) if info.experiment is not None else "a script's own training"
        what = what if info.readable else "cannot be read"
        first = Content.assemble(
            (printable(self.names.get(info.run, info.name)), "bold"), ("  " + what, "$secondary")
        )
        parts = [f"& groups {self.alike} runs that differ only in their seed"] if self.alike else []
        parts += [printable(on_one_line(info.note))] if info.note else []
        # The table has room for one finding, and perhaps not for its whole name.
        parts += [", ".join(info.summary.findings)] if info.summary.findings else []
        # The folder stands behind it.
        reason = info.status.reason.removeprefix(f"{info.run}/")
        parts += [printable(reason)] if reason else []
        if info.parent is not None:
            parts.append(f"compared with {printable(info.parent.run)}")
        parts.append(printable(str(info.run)))
        width = self.content_size.width
        if len(" · ".join(parts)) > width:
            parts[-1] = printable(info.id)
        if len(" · ".join(parts)) > width and info.parent is not None:
            parts[-2] = f"compared with {printable(name_without_time(Path(info.parent.run)))}"
        return first + Content("\n") + Content.styled(" · ".join(parts), "$secondary")


def _group_detail(group: RunGroup, width: int) -> Content:
    """Return what the runs of a group train, and their means with standard deviations, and the keys that fit."""
    what = net_in_words(group.experiment) if group.experiment is not None else "a script's own training"
    first = Content.assemble((printable(group.title), "bold"), ("  " + what, "$secondary"))
    forms = {"loss": number, "train": percent, "test": percent, "seconds": duration}
    figures = figures_of(group, forms) or ["no numbers yet"]
    second = Content.styled(f"{group.diverged}, left out" if group.diverged else "", "$error")
    for part in (*figures, "enter opens", "& renames or ungroups"):
        part = f" · {part}" if second.cell_length else part
        if second.cell_length + len(part) <= width:
            second += Content.styled(part, "$secondary")
    return first + Content("\n") + second


def _study_detail(study: StudyRow) -> Content:
    """Return how many runs of a study are in which state, and how they are shown."""
    first = Content.assemble((printable(study.name), "bold"), (f"  a study: {study.states}", "$secondary"))
    found = f"{study.with_problems} of {len(study.members)} with a problem · " if study.with_problems else ""
    return (
        first
        + Content("\n")
        + Content.styled(f"{found}enter shows its runs, and hides them again", "$secondary")
    )
