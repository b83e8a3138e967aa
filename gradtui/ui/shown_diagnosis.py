"""Hold the diagnosis that the screens show of one run; every pane of a frame reads the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from gradtui.judgement import TOO_SHORT, Judgement, judge
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.judged import AnsweredQuestions

NOTHING_YET = "Findings appear here once training has started."

READING = "reading the run"
"""What happens before a run that was opened can be shown."""

NOT_JUDGED_YET = Judgement("checking")


@dataclass(frozen=True)
class ShownDiagnosis:
    """A ShownDiagnosis holds the findings at the step that is shown and at the newest step, with the judgement on each.

    The thread that follows the run creates it and passes it on as one value, so that panes that are painted at
    different moments cannot contradict each other.
    """

    findings: tuple[Finding, ...] | None = None
    """The findings at the step that is shown; None while the run is being checked."""
    judgement: Judgement = NOT_JUDGED_YET
    """The verdict that follows from `findings`."""
    newest_findings: tuple[Finding, ...] | None = None
    """The findings at the newest step, as `RunMonitor.findings` has them."""
    newest_judgement: Judgement = NOT_JUDGED_YET
    """The verdict that follows from `newest_findings`."""
    past: bool = False
    """Whether the step that is shown is not the newest."""
    live: bool = True
    """Whether the run trained when it was diagnosed."""
    why: str = ""
    """What could not be judged at the newest step and why, where that is shown; "" where everything could."""
    remarks: tuple[Finding, ...] = ()
    """What is unusual and harmless at the end of a run without a problem, where that is shown."""

    @property
    def later(self) -> tuple[Finding, ...]:
        """Return the findings of the newest step that the step that is shown does not have yet."""
        here = {finding.code for finding in self.findings or ()}
        return tuple(finding for finding in self.newest_findings or () if finding.code not in here)

    def without_findings(self, step: int) -> Content:
        """Return what is said of a step without findings: that there is no problem, or why nothing is known yet."""
        if waits_for := self._waits_for(step):
            return Content.styled(waits_for, "$secondary")
        if not self.live and not step:
            return Content.styled("The run ended before its first step.", "$secondary")
        if self.judgement.state != "clean":
            return Content.styled(NOTHING_YET, "$secondary")
        if self.later:
            return Content(f"No problem yet at step {step:,}.")
        return Content.assemble(("✓", "$success"), f" No problems found (step {step:,}).")

    def _waits_for(self, step: int) -> str:
        """Return why nothing is known of a step; "" where it has findings, or nothing is wrong."""
        judgement = self.judgement
        if judgement.state == "problem":
            return "" if judgement.codes else judgement.without_finding
        if judgement.state == "clean" or not step:
            return ""
        if self.past:
            return f"◌ Step {step:,} is too early to judge."
        if judgement.why == TOO_SHORT:
            return f"◌ {step:,} step{'s are' if step != 1 else ' is'} too few to judge."
        if not self.live:
            return f"◌ {reading(step)} …"
        return f"◌ {judgement.words} (step {step:,})"


def reading(steps: int) -> str:
    """Return what happens before a run that has ended is judged: its steps are read."""
    return f"reading {several(steps, 'step')}"


def shown_diagnosis(
    newest: tuple[Finding, ...] | None,
    here: tuple[Finding, ...] | None,
    *,
    objections: tuple[str, str],
    pending: Sequence[str],
    judged: AnsweredQuestions | None,
    remarks: Sequence[Finding],
    live: bool,
    past: bool,
    steps: tuple[int, int],
) -> ShownDiagnosis:
    """Return the diagnosis to show of a run.

    Args:
        newest: the findings at the newest step.
        here: the findings at the step that is shown.
        objections: why the run cannot be called free of problems at the newest step, and at the step that is shown.
        pending: the codes of the findings that were seen once at the newest step and wait for confirmation.
        judged: what could be judged at the newest step; None before the first diagnosis.
        remarks: what is unusual and harmless in a run that has ended.
        live: whether the run still trains.
        past: whether an earlier step is shown.
        steps: the newest step, and the one that is shown.
    """
    enough = judged is None or judged.enough_steps
    now = judge(newest, live=live, step=steps[0], objection=objections[0], pending=pending, enough=enough)
    if judged is None and not live:
        # It is being read, and no rule has looked at it yet.
        now = NOT_JUDGED_YET
    then = judge(here, live=live and not past, step=steps[1], objection=objections[1]) if past else now
    why = judged.why if judged is not None and newest is not None and not past else ""
    # Beside a problem, what is unusual is mostly its consequence, as a spike is that of an explosion.
    at_end = () if past or newest else tuple(remarks)
    return ShownDiagnosis(here if past else newest, then, newest, now, past, live, why, at_end)
