"""The RepairScreen repairs the experiment of a run: it trains, takes the advice, trains again, and shows each round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gradtui.report.fix_page import conclusion, cure_lines, result_lines, trials_lines
from gradtui.study.live_repair import LiveRepair, RepairState
from gradtui.study.repair import Round, RoundStarted, best_round, changes_of, is_fixed
from gradtui.study.repair_limits import ROUNDS
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.widgets.key_line import KeyLine
from gradtui.ui.widgets.row_table import RowTable
from gradtui.ui.widgets.status_bar import crumbs
from gradtui.ui.widgets.table_columns import Column
from gradtui.words import about, figure, percent, printable

POLL_SECONDS = 0.25
"""The time between two checks of the state of the repair."""


@dataclass(frozen=True)
class RoundRow:
    """A RoundRow is one round in the table, ended or running."""

    number: int
    name: str
    ended: Round | None
    share: float = 0.0
    """How much of its training is done."""


class RepairScreen(OneAnswer[Path | None]):
    """A RepairScreen returns the folder of the run that the person wants to see, or None; leaving it stops the repair.

    Args:
        repair: what is shown; kept by the caller, who can open the screen on it again once it is done.
    """

    HELP = (
        "## Fix in rounds\n\n"
        "`space` starts. Each round trains the net with the best advice from the round before, until no problem is "
        "found and the net learns, with three rounds at most. Before each round the four best cures are tried for a "
        "few steps each. `gradtui fix` does the same."
    )
    BINDINGS = [
        Binding(
            "space",
            "begin",
            "train",
            key_display="space",
            tooltip="Start the first round.",
            id="repair.begin",
        ),
        Binding("x,escape", "stop", "stop", key_display="x", tooltip="Stop here.", id="repair.stop"),
        Binding(
            "enter", "open", "open", key_display="⏎", tooltip="Open the run of this round.", id="repair.open"
        ),
        Binding(
            "up,k",
            "move(-1)",
            "choose",
            key_display="↑↓",
            tooltip="Choose a round.",
            id="repair.up",
        ),
        Binding("down,j", "move(1)", "next round", show=False, id="repair.down"),
        Binding("pagedown", "scroll(1)", "scroll", show=False, id="repair.page-down"),
        Binding("pageup", "scroll(-1)", "scroll back", show=False, id="repair.page-up"),
        Binding("s", "save", "save", tooltip="Save the experiment of this round as TOML.", id="repair.save"),
        Binding("escape,q", "dismiss(None)", "back", key_display="esc", tooltip="Go back.", id="repair.back"),
    ]
    CSS_PATH = "study.tcss"

    def __init__(self, repair: LiveRepair) -> None:
        super().__init__()
        self.repair = repair
        self.chosen: int | None = None
        """The number of the round that the person chose; None is the newest, and at the end the best."""
        self._painted: tuple[RepairState, bool, bool, float | None] | None = None

    def compose(self) -> ComposeResult:
        """Yield the title, how it ended, the rounds, and all about the chosen one."""
        yield Static(id="repair-title")
        yield Static(id="repair-end")
        yield RowTable(_columns(), marks=False)
        with VerticalScroll(id="repair-round", can_focus=False):
            yield Static(id="repair-text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Estimate how long a round will take, and paint the repair until the screen is left."""
        if not self.repair.begun:
            self.run_worker(self.repair.estimate, group="estimate", thread=True, exit_on_error=False)
        self.query_one(RowTable).focus()
        self.set_interval(POLL_SECONDS, self.paint_changes)
        self.paint_changes()

    def on_resize(self) -> None:
        """Paint the title again, since its right end has moved."""
        self._painted = None
        self.call_after_refresh(self.paint_changes)

    def on_unmount(self) -> None:
        """Let the repair end with the screen."""
        self.repair.close()

    def paint_changes(self) -> None:
        """Paint the state of the repair, if it has changed."""
        repair = self.repair
        now = (repair.state, repair.stopping, repair.begun, repair.expected_seconds)
        if now != self._painted:
            before = self._painted
            turned = before is None or (before[0].done, before[2]) != (now[0].done, now[2])
            self._painted = now
            self.paint(now[0])
            if turned:
                self.refresh_bindings()

    def paint(self, state: RepairState) -> None:
        """Give each pane its part of the state."""
        name = printable(self.repair.experiment.name)
        right = self._progress(state)
        title = self.query_one("#repair-title", Static)
        left = crumbs((name, "fix in rounds"), title.content_size.width - right.cell_length - 2)
        gap = max(2, title.content_size.width - left.cell_length - right.cell_length)
        title.update(left + Content(" " * gap) + right)
        self.query_one("#repair-end", Static).update(_ending(state, stopped=self.repair.stopping))
        self.show_rows()

    def _progress(self, state: RepairState) -> Content:
        if not self.repair.begun:
            expected = self.repair.expected_seconds
            time = "" if expected is None else f" of {about(expected)}"
            offer = f"○ {ROUNDS} rounds{time} · "
            return Content.assemble((offer, "$foreground"), ("space", "bold $accent"), " starts")
        if state.problem:
            return Content.styled("✖ could not continue", "$error")
        if state.done:
            if state.rounds and is_fixed(list(state.rounds)):
                return Content.styled("✓ done", "$success")
            return Content.styled("■ stopped" if self.repair.stopping else "▲ not fixed", "$warning")
        if self.repair.stopping:
            return Content.styled("◌ stopping · esc ends it at once", "$warning")
        if state.trying is not None:
            tried = state.trying
            return Content.styled(
                f"● trying {len(tried.cures)} cures, {tried.seconds:.0f} s at most", "$success"
            )
        if state.begun:
            begun = state.begun[-1]
            steps = begun.experiment.run.steps
            return Content.styled(f"● round {begun.number}: step {state.step:,}/{steps:,}", "$success")
        return Content.styled("◌ reading the run", "$accent")

    # -- the rounds

    def rows(self) -> list[RoundRow]:
        """Return the rounds, the newest last."""
        state = self.repair.state
        rows = [RoundRow(each.number, _name(each.attempt.cure), each) for each in state.rounds]
        if state.begun and state.begun[-1].number == len(rows):
            begun = state.begun[-1]
            done = state.step / max(1, begun.experiment.run.steps)
            rows.append(RoundRow(begun.number, _name(begun.cure), None, min(1.0, done)))
        return rows

    @property
    def at(self) -> int:
        """Return the index of the chosen round."""
        state = self.repair.state
        if self.chosen is not None:
            return min(self.chosen, max(0, len(self.rows()) - 1))
        if state.done and state.rounds:
            return best_round(list(state.rounds)).number
        return max(0, len(self.rows()) - 1)

    def show_rows(self) -> None:
        """Show the table, and all about the chosen round."""
        rows = self.rows()
        waits = "Reading the run." if self.repair.begun else "Not trained yet."
        self.query_one(RowTable).show(rows, self.at, nothing=waits)
        lines = self._lines(rows[self.at]) if rows else []
        # One column is the padding on either side, and one is for the scroll bar.
        width = max(20, self.app.size.width - 3)
        self.query_one("#repair-text", Static).update(
            Content("\n").join(_styled(part) for line in lines for part in _broken(line, width))
        )

    def _lines(self, row: RoundRow) -> list[str]:
        state = self.repair.state
        lines: list[str] = []
        for number, tried in state.tried:
            if number == row.number:
                lines += [*trials_lines(tried.trials, tried.seconds), ""]
        begun: RoundStarted | None = next((each for each in state.begun if each.number == row.number), None)
        if begun is not None and begun.cure is not None:
            lines += cure_lines(begun.before, begun.experiment, begun.cure)
        if row.ended is not None:
            rounds = list(state.rounds[: row.number + 1])
            best = best_round(rounds).number
            lines += [""] if lines else []
            lines += result_lines(row.ended, best)
        return [printable(line) for line in lines]

    @on(RowTable.Chosen)
    def _clicked(self, event: RowTable.Chosen) -> None:
        event.stop()
        self.chosen = event.index
        self.show_rows()
        if event.again:
            self.action_open()

    @on(RowTable.Scrolled)
    def _scrolled(self, event: RowTable.Scrolled) -> None:
        self.action_move(event.rows)

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for an action that makes no sense now, which hides its key."""
        begun, done = self.repair.begun, self.repair.state.done
        if action == "begin":
            return not begun
        if action == "stop":
            return begun and not done
        if action == "dismiss":
            return done or not begun
        if action in ("open", "save"):
            return done
        return True

    def action_begin(self) -> None:
        """Begin the repair, in a thread of the app."""
        self.repair.begun = True
        self.app.run_worker(self.repair.run, group="repair", thread=True, exit_on_error=False)
        self.paint_changes()

    def action_stop(self) -> None:
        """Stop the repair."""
        self.repair.stop()
        self.paint_changes()

    def action_move(self, by: int) -> None:
        """Move the cursor down by some rounds, or up if negative."""
        rows = self.rows()
        if rows:
            self.chosen = max(0, min(self.at + by, len(rows) - 1))
            self.show_rows()

    def action_scroll(self, by: int) -> None:
        """Scroll the text about the chosen round."""
        pane = self.query_one(VerticalScroll)
        pane.scroll_relative(y=by * max(1, pane.size.height - 1), animate=False)

    def action_open(self) -> None:
        """Show the run of the chosen round."""
        rows = self.rows()
        if rows and self.repair.state.done:
            ended = rows[self.at].ended
            if ended is not None:
                self.dismiss(ended.folder)

    def action_save(self) -> None:
        """Save the experiment of the chosen round as TOML."""
        from gradtui.ui.screens.dialogs import SaveScreen

        rounds = self.repair.state.rounds
        if rounds:
            experiment = rounds[min(self.at, len(rounds) - 1)].attempt.experiment
            self.app.push_screen(SaveScreen(experiment))


def _name(cure: object) -> str:
    return "unchanged" if cure is None else str(getattr(cure, "name", ""))


def _ending(state: RepairState, *, stopped: bool) -> Content:
    """Return what the repair came to, in a line; before its end what it is about."""
    if state.problem:
        return Content.styled(printable(state.problem), "$error")
    rounds = list(state.rounds)
    if not state.done or not rounds:
        return Content.styled(
            f"Trains, applies the best advice and trains again, until the net learns: {ROUNDS} rounds at most.",
            "$secondary",
        )
    text = conclusion(best_round(rounds), rounds[-1].number, changes_of(rounds), stopped=stopped)
    return Content.styled(printable(text.split(": --set")[0]), "$success" if is_fixed(rounds) else "$warning")


def _broken(line: str, width: int) -> list[str]:
    """Return a line in parts that fit, the others indented further than the first."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _styled(line: str) -> Content:
    """Return a line with its first word in the colour of its meaning."""
    head, colon, rest = line.partition(": ")
    colours = {"found": "bold $error", "change": "$secondary", "why": "$secondary", "cost": "$secondary"}
    if colon and head in colours:
        return Content.assemble((f"{head}: ", colours[head]), rest)
    return Content(line)


def _columns() -> tuple[Column[RoundRow], ...]:
    """Return the columns of the table of rounds."""
    return (
        Column("number", "round", lambda row: str(row.number), 5, rank=0),
        Column("name", "change", lambda row: printable(row.name), 30, 70, rank=1),
        Column("state", "", _state, 12, rank=2, share=lambda row: row.share or None),
        Column("train", "train", _accuracy, 7, rank=3, right=True),
        Column("loss", "loss", _loss, 8, rank=5, right=True),
        Column("found", " found", _found, 12, rank=4, spans=lambda row: True),
    )


def _state(row: RoundRow) -> Content:
    if row.ended is None:
        return Content.styled("● training", "$success")
    attempt = row.ended.attempt
    if attempt.clean:
        return Content.styled("✓ learned" if attempt.learned else "✓ learns", "$success")
    return Content.styled("✖ failed" if row.ended.failed else "✖ not yet", "$error")


def _accuracy(row: RoundRow) -> str:
    if row.ended is None:
        return ""
    accuracy = row.ended.attempt.outcome.accuracy
    return "–" if accuracy != accuracy else percent(accuracy)


def _loss(row: RoundRow) -> str:
    return "" if row.ended is None else figure(row.ended.attempt.outcome.loss)


def _found(row: RoundRow) -> Content:
    if row.ended is None:
        return Content("")
    codes = ", ".join(finding.code for finding in row.ended.attempt.findings)
    return Content.styled(f" {codes}", "$error") if codes else Content.styled(" ✓ none", "$success")
