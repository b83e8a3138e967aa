"""Show the first line of a screen with a run: its name, what it is doing, and how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.experiment import Experiment
from gradtui.judgement import Judgement
from gradtui.ui.shown_diagnosis import READING, reading
from gradtui.words import cut_middle, seconds

if TYPE_CHECKING:
    from gradtui.runs.follower import Snapshot
    from gradtui.ui.followed_run import FollowedRun

STATE_MARKS = {
    "idle": ("○", "$secondary"),
    "starting": ("◌", "$accent"),
    "running": ("●", "$success"),
    "paused": ("‖", "$warning"),
    "finished": ("■", "$secondary"),
    "stopped": ("■", "$secondary"),
    "diverged": ("✖", "$error"),
    "failed": ("✖", "$error"),
    "died": ("✖", "$error"),
}
"""The mark and colour of each state; the marks differ too, for terminals without colours."""


STEP_COLUMNS = 26
"""The columns that are kept free beside what was found, for the step and the rate of a run that trains."""

SHORT_NAME = 13
"""The columns for what space trains next, where the first line has little room."""
LEAST_TITLE = 20
"""The columns that a name gets at least."""

NOTICE_SECONDS = 2.0
"""The time for which a notice replaces the state."""

NEWS_SECONDS = 5.0
"""The time for which news of the run replaces its state: they are less urgent than the answer to a key."""


@dataclass(frozen=True)
class RunProgress:
    """A RunProgress is what the line shows of a run."""

    title: str
    detail: str = ""
    state: str = "idle"
    words: str = ""
    """The words for what the run is doing, or how it ended."""
    step: int = 0
    steps: int = 0
    """The planned steps; 0 is unknown."""
    rate: float = 0.0
    """Steps a second."""
    seconds_left: float | None = None
    at: int | None = None
    """The step that is shown, where that is not the newest."""
    trail: tuple[str, ...] = ()
    """The places through which the person came here, as a breadcrumb before the title."""
    judgement: Judgement | None = None
    """What the diagnosis says of the run at the newest step; None before its first."""
    edited: str = ""
    """That the builder has something else than the run trained, and its name if it has another one; "" if not."""


LEAST_WAY = 24
"""The columns below which the way is not cut further."""


class TitleLine(Widget):
    """A TitleLine is the first line of a screen, which begins with the way to what is shown."""

    cut_way: str = ""
    """The whole way, where the line has too little room for it; the page of keys shows it then."""

    def way(self, words: tuple[str, ...], width: int) -> Content:
        """Return the name of the program and the way, in at most `width` columns."""
        whole = " › ".join(words)
        shown = crumbs(words, width)
        self.cut_way = "" if shown.plain.endswith(whole) else whole
        return shown


class StatusBar(TitleLine):
    """The StatusBar is one line; the progress bar takes the room that the words leave."""

    DEFAULT_CSS = """
    StatusBar { height: 1; padding: 0 1; background: $panel; color: $foreground; }
    """

    progress: reactive[RunProgress] = reactive(RunProgress(""))
    notice: reactive[str] = reactive("")
    """What is said instead of the state for a moment."""

    def say(self, notice: str, seconds: float = NOTICE_SECONDS) -> None:
        """Show a sentence instead of the state for a moment."""
        self.notice = notice
        self._is_news = seconds == NEWS_SECONDS
        self._said += 1
        self.set_timer(seconds, partial(self._unsay, self._said))

    _said = 0
    _is_news = False

    def watch_progress(self, before: RunProgress, now: RunProgress) -> None:
        """End news where the run is paused, resumed or has ended since: its state is the answer to a key."""
        if self._is_news and before.state != now.state:
            self.notice = ""

    def _unsay(self, said: int) -> None:
        if said == self._said:
            self.notice = ""

    def render(self) -> Content:
        """Return the name on the left; state, step, bar, rate and time left on the right."""
        p, width = self.progress, self.content_size.width
        mark, colour = STATE_MARKS.get(p.state, STATE_MARKS["idle"])
        if self.notice:
            return self._with_notice(width)
        left = self._left(least := width // 2 - 2)
        step = ""
        if p.state != "idle" and p.step:
            step = f"  step {p.step:,}" + (f"/{p.steps:,}" if p.steps else "")
        right = Content.styled(f"{mark} {self._words(width - left.cell_length - len(step) - 4)}", colour)
        changes = p.state in ("starting", "running", "paused") or p.at is not None
        room = width - left.cell_length - right.cell_length - (STEP_COLUMNS if changes else len(step) + 2)
        if p.judgement is not None:
            sign, shade = p.judgement.mark
            missing = len((p.judgement.codes or ("",))[0]) + 4 - room
            if p.judgement.codes and 0 < missing <= left.cell_length - LEAST_WAY:
                # What was found says more than the end of a long name.
                left = self._left(least := left.cell_length - missing)
                room += missing
            words = p.judgement.words
            if words == "checking" and not changes:
                words = reading(p.step)
            for said in (words, (p.judgement.codes or ("",))[0], ""):
                if not said and sign == mark:
                    break
                if len(said) + 4 <= room:
                    tint = "$secondary" if p.judgement.state == "checking" else shade
                    right += Content.styled(f"  {sign} {said}".rstrip(), tint)
                    break
        if step:
            right += Content(step)
            tail = self._tail(width - left.cell_length - right.cell_length - 2)
            room = width - left.cell_length - right.cell_length - tail.cell_length - 3
            if p.steps and room >= 8 and p.state in ("running", "paused"):
                right += Content(" ") + bar(p.step / p.steps, min(24, room))
            right += tail
        if p.at is not None:
            right = self._with_shown_step(p.at, right, width - left.cell_length - 2)
        # A long name gets what is left.
        left = self._left(max(least, width - right.cell_length - 2))
        gap = max(2, width - left.cell_length - right.cell_length)
        return left + Content(" " * gap) + right

    def _tail(self, room: int) -> Content:
        """Return the rate and the time left of a run that trains, or as many of them as fit whole."""
        p, tail = self.progress, ""
        if p.state != "running" or p.rate <= 0:
            return Content("")
        rate = f"  {p.rate:,.3g}/s" if p.rate < 1000 else f"  {p.rate:,.0f}/s"
        left = f"  {seconds(p.seconds_left)} left" if p.seconds_left is not None else ""
        for part in (rate, left):
            tail += part if len(tail + part) <= room else ""
        return Content.styled(tail, "$secondary")

    def _with_notice(self, width: int) -> Content:
        """Return the notice, which matters most for its moment, and before it as much of the name as fits."""
        notice = Content.styled(self.notice, "bold $warning").truncate(width, ellipsis=True)
        room = width - notice.cell_length - 2
        left = self._left(min(room, width // 2 - 2)) if room >= LEAST_TITLE + 9 else Content("")
        return left + Content(" " * (width - left.cell_length - notice.cell_length)) + notice

    def _words(self, room: int) -> str:
        """Return the words for the state in so many columns; why a run diverged is among the findings too."""
        words = self.progress.words
        if len(words) <= room:
            return words
        return "diverged" if self.progress.state == "diverged" else words[: max(0, room - 1)] + "…"

    def _left(self, columns: int) -> Content:
        """Return the way to what is shown and its name in so many columns, and where there is room for it, a detail."""
        p, width = self.progress, self.content_size.width
        if p.edited:
            # What the builder has is told apart from the run wherever there is room for it.
            told = (
                p.edited if columns - len(p.edited) >= LEAST_TITLE + 16 else cut_middle(p.edited, SHORT_NAME)
            )
            left = self.way((*p.trail, f"run {p.title}"), columns - len(told) - 3)
            return left + Content.styled(f" · {told}", "$warning")
        left = self.way((*p.trail, p.title), columns)
        detail = Content.styled(f" · {p.detail}", "$secondary") if p.detail and width >= 100 else Content("")
        if columns > width // 2 - 2 and left.cell_length + detail.cell_length > columns:
            left = self.way((*p.trail, p.title), columns - detail.cell_length)
        return left + detail

    def _with_shown_step(self, at: int, right: Content, room: int) -> Content:
        """Return the step that is shown, then as much of the state of the run as fits."""
        p = self.progress
        mark, colour = STATE_MARKS.get(p.state, STATE_MARKS["idle"])
        short = Content.assemble((mark, colour), f" step {p.step:,}" + (f"/{p.steps:,}" if p.steps else ""))
        where = [
            Content.styled(text, "$accent reverse")
            for text in (f" ◷ looking at step {at:,} · esc newest ", f" ◷ step {at:,} · esc newest ")
        ]
        for told, stands in ((where[0], right), (where[1], right), (where[1], short)):
            both = told + "  " + stands
            if both.cell_length <= room:
                return both
        return where[1] + " " + Content.styled(mark, colour)


def crumbs(words: tuple[str, ...], width: int) -> Content:
    """Return the name of the program and the way to what is shown; of a long way its end, of a long name both ends."""
    shown = list(words)
    while len(shown) > 1 and sum(map(len, shown)) + 3 * len(shown) + 7 > width:
        shown = ["…", *shown[2:]] if shown[0] == "…" else ["…", *shown[1:]]
        if len(shown) == 2:
            break
    room = max(LEAST_TITLE, width - 9 - sum(len(word) + 3 for word in shown[:-1]))
    shown[-1] = cut_middle(shown[-1], room)
    parts = [Content.styled("gradtui", "bold $accent"), Content("  ")]
    for word in shown[:-1]:
        parts += [Content.styled(word, "$secondary"), Content.styled(" › ", "$secondary")]
    return Content("").join([*parts, Content.styled(shown[-1], "bold")])


def bar(share: float, width: int) -> Content:
    """Return a thin bar, filled to a share of its width."""
    full = round(max(0.0, min(1.0, share)) * width)
    return Content.assemble(("━" * full, "$accent"), ("─" * (width - full), "$border"))


def progress_of(
    followed: FollowedRun | None, draft: Experiment | None, trail: tuple[str, ...] = ()
) -> RunProgress:
    """Return the first line for a run, or for an experiment that has not been started."""
    return replace(_progress_of(followed, draft), trail=trail)


def _progress_of(followed: FollowedRun | None, draft: Experiment | None) -> RunProgress:
    if followed is None:
        assert draft is not None
        return RunProgress(draft.name, draft.data.source, "idle", "press space to train")
    snapshot = followed.snapshot
    title = followed.title
    detail: str = (
        followed.experiment.data.source if followed.experiment else "script" if followed.script else ""
    )
    made = cure_of(followed)
    # A copy with a cure has it in its name already.
    if made and made.partition(",")[0] not in title:
        detail += f" · with {made}"
    if snapshot is None:
        return RunProgress(
            title, detail, followed.state, followed.problem or ("starting" if followed.trainer else READING)
        )
    if followed.failed_to_start:
        return RunProgress(title, detail, "failed", _words("failed", "", "the trainer could not start"))
    status = snapshot.status
    if followed.missing:
        deleted = followed.missing == "deleted"
        what = "deleted · r, then u restores it" if deleted else "its folder was moved or removed"
        return RunProgress(title, detail, "stopped", what)
    if followed.preflight and status.state == "finished":
        return RunProgress(title, detail, "idle", "initial gradients, untrained · space trains")
    return RunProgress(
        title=title,
        detail=detail,
        state=status.state,
        words=_words(status.state, _phase_text(snapshot), status.reason, script=followed.script),
        at=followed.at,
        judgement=followed.diagnosis.newest_judgement if snapshot.step else None,
        step=snapshot.step,
        steps=snapshot.steps,
        rate=snapshot.rate or 0.0,
        seconds_left=snapshot.seconds_left,
    )


_PHASES = {"importing": "importing PyTorch", "building": "building the net"}

MOST_BEFORE = 2000
"""The number of first events of a run among which a pretraining is looked for."""

BRIEF_EVALUATION = 0.5
"""An evaluation is named after this many seconds, since shorter ones would only flicker."""


def _phase_text(snapshot: Snapshot) -> str:
    """Return what the trainer is doing, in its own words where they say more than the name of the phase."""
    phase = snapshot.status.phase
    phase_event = next((event for event in reversed(snapshot.events) if event.get("event") == "phase"), {})
    if phase == "evaluating" and time.time() - float(phase_event.get("time", 0.0)) <= BRIEF_EVALUATION:
        phase = "training"
    if phase == "training" and any(
        event.get("event") == "pretrain" for event in snapshot.events[:MOST_BEFORE]
    ):
        return "fine-tuning"
    if phase == "pretraining":
        return str(phase_event.get("text") or phase)
    return _PHASES.get(phase, phase)


def _words(state: str, phase: str, reason: str, *, script: bool = False) -> str:
    if state in ("starting", "running"):
        return phase or state
    if script and state in ("died", "failed"):
        # What a script prints is not recorded.
        return f"script {reason or 'died'}" if state == "died" else f"failed: {reason}".removesuffix(": ")
    if state == "died":
        return f"trainer {reason or 'died'} · L log"
    if state == "failed":
        return f"failed: {reason} · L log" if reason else "failed · L log"
    if state == "diverged":
        return f"diverged: {reason}" if reason else state
    return state


def cure_of(followed: FollowedRun) -> str:
    """Return the cure of a fork, and from which step on it has it; "" where the run is not a fork."""
    from gradtui.experiment.cures import cure

    parent = followed.parent
    if parent is None:
        return ""
    where = f", from step {parent.step:,} on" if parent.step else ""
    try:
        return cure(parent.cure).name + where
    except KeyError:
        # A trial of a script names its change in words of its own.
        return (parent.cure or "changes") + where
