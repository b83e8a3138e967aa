"""The WhyScreen explains the findings of a run: what happens, why, how one sees it, and what helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from gradtui.diagnosis.findings import EXPLANATIONS, INFORMATION_CODES, Explanation, codes_with
from gradtui.experiment.net_plan import RECURRENT
from gradtui.judgement import MARKS
from gradtui.ui.disk_work import DiskWork
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.dialogs import TextFrame

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.factors import Factors
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.shown_diagnosis import ShownDiagnosis


HEALTHY = Explanation(
    "Each layer multiplies the gradient by a factor on its way from the output to the input. In a "
    "healthy net these factors lie near 1, so all layers get a gradient of about the same size.",
    "The bars have about the same height.",
    "The gradient needs no cure. If the net learns too little all the same, train it with fewer layers too, mark both "
    "in the list of runs (r) and compare them (C): only that shows whether the deeper net is worse (degradation). A "
    "deeper run that ends later is compared with the shallower one by itself.",
)


ONE_STEP = (
    "The sentence over the chart is about step {step:,} alone and about what is drawn there. One step may differ "
    "widely from the steps that a finding covers."
)
"""The sentence that tells apart the figures of the headline and those of a finding."""

NEXT_KEYS = (
    Binding("P", "dismiss('factors')", "factors", id="lab.product"),
    Binding("f", "dismiss('fork_with_cure')", "fix it", id="lab.treat"),
)
"""The keys of the screen beneath that lead on from here, under the same ids, so that a person may assign others."""

CHECKING_SECONDS = 0.5
"""The time between two looks at a run that is still being checked."""

OF_SIZE = codes_with("explodes") | codes_with("vanishes")
"""The codes of findings about the size of the gradient, which the sentence over the chart tells too."""

OVER_LATER = frozenset({"exploding", "nonfinite"})
"""The codes of findings whose cause the newest step no longer shows."""


class Paragraph(NamedTuple):
    """A Paragraph is a text of the screen, with the word that stands before it."""

    text: Content
    label: str = ""
    """What the text is about; "" for a text that begins at the edge."""
    begins: bool = False
    """Whether an empty line separates it from what is above."""


class WhyScreen(ModalScreen["str | None"], OneAnswer["str | None"]):
    """The WhyScreen shows what is known about a run's findings; it answers with the action that it was left for.

    Args:
        told: returns what is shown; it is asked again until `settled`, since a run may still be checked.
        settled: returns whether the verdict on the run is known.
        actions: the actions of the screen beneath that its texts lead to, among those of NEXT_KEYS.
    """

    DEFAULT_CSS = """
    WhyScreen {
        align: center middle;
        & > TextFrame { max-width: 100; max-height: 100%; }
        & .paragraph { height: auto; }
        & .-begins { margin-top: 1; }
        & .label { width: 9; color: $accent; text-style: bold; }
        & .text { width: 1fr; }
    }
    """
    BINDINGS = [Binding("escape,w,q", "dismiss(None)", "back"), *NEXT_KEYS]

    def __init__(
        self, told: Callable[[], list[Paragraph]], settled: Callable[[], bool], actions: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._told = told
        self._settled = settled
        self.paragraphs = told()
        self._final = settled()
        self._actions = actions

    def compose(self) -> ComposeResult:
        """Yield the frame with the paragraphs."""
        named = [f"{key.key} {key.description}" for key in NEXT_KEYS if self._leads_to(key)]
        with TextFrame("Why", " · ".join([*named, "esc back"])):
            yield from self._rows()

    def _rows(self) -> list[Horizontal]:
        """Return the paragraphs; the lines of one with a label are all indented by the width of the labels."""
        return [
            Horizontal(
                *([Static(paragraph.label, classes="label")] if paragraph.label else ()),
                Static(paragraph.text, classes="text"),
                classes="paragraph -begins" if paragraph.begins else "paragraph",
            )
            for paragraph in self.paragraphs
        ]

    def on_mount(self) -> None:
        """Look for the verdict, where the run is still being checked."""
        if not self._final:
            self.set_interval(CHECKING_SECONDS, self._tell_again)

    async def _tell_again(self) -> None:
        """Show what is known now; once the verdict is shown, its text stays as it is, so that it can be read."""
        if self._final:
            return
        self._final, told = self._settled(), self._told()
        if told != self.paragraphs:
            self.paragraphs = told
            frame = self.query_one(TextFrame)
            async with self.batch():
                await frame.remove_children()
                await frame.mount_all(self._rows())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key that leads on has an effect on the screen beneath."""
        return action != "dismiss" or parameters == (None,) or parameters[0] in self._actions

    def _leads_to(self, key: Binding) -> bool:
        return any(key.action == f"dismiss('{action}')" for action in self._actions)


def explain(
    screen: Screen[Any],
    run: FollowedRun | None,
    disk: DiskWork,
    draw_factors: Callable[[int | None], None],
) -> None:
    """Explain what was found in a run, over a screen; its files are read in a thread.

    The person may go on from there to the factors, or to the cures: then the screen beneath does what its key does.

    Args:
        screen: the screen beneath.
        run: the run on it; None does nothing.
        disk: does the reading.
        draw_factors: draws the factors of a step on the screen beneath; None is the newest step.
    """
    if run is None:
        return
    at = _measured_at(run)

    def show(factors: Factors | None) -> None:
        def told() -> list[Paragraph]:
            step = run.data.step if run.data is not None else 0
            return [*explained(run.diagnosis, step, recurrent=_is_recurrent(run)), *measured]

        measured = _measured(factors)
        actions = ["factors"] if measured else []
        can_cure = hasattr(screen, "action_fork_with_cure") and screen.check_action("fork_with_cure", ())
        if can_cure and run.newest_findings:
            actions.append("fork_with_cure")
        why = WhyScreen(told, lambda: run.diagnosis.judgement.state != "checking", actions)
        screen.app.push_screen(why, go_on)

    async def go_on(action: str | None) -> None:
        if action == "factors":
            draw_factors(at)
        elif action is not None:
            await screen.run_action(action)

    disk.do(lambda: factors_of(run, at), show)


def _measured_at(run: FollowedRun) -> int | None:
    """Return the step whose factors explain the findings; None is the newest.

    An explosion is often over, or all is NaN, when the run has ended: the factors of its beginning are those above 1.
    """
    worst = next(iter(run.newest_findings or ()), None)
    if run.at is None and worst is not None and worst.code in OVER_LATER:
        return worst.step
    return run.at


def _is_recurrent(run: FollowedRun) -> bool:
    meta = run.snapshot.meta if run.snapshot is not None else None
    return meta is not None and any(layer.kind.lower() in RECURRENT for layer in meta.layers)


def factors_of(run: FollowedRun, at: int | None) -> Factors | None:
    """Read the factors by which the layers of a run multiply the gradient, at a step; None is the newest."""
    from gradtui.diagnosis.factors import factors_of_run
    from gradtui.runs.errors import RunError
    from gradtui.runs.reader import open_run

    try:
        return factors_of_run(open_run(run.folder), at)
    except (OSError, RunError):
        return None


def explained(diagnosis: ShownDiagnosis, step: int, *, recurrent: bool = False) -> list[Paragraph]:
    """Return what the findings at a step mean, with their numbers, or that nothing was found or is known yet.

    recurrent: whether the net has recurrent layers.
    """
    findings = diagnosis.findings or diagnosis.newest_findings or ()
    paragraphs = [paragraph for finding in findings for paragraph in _finding(finding, recurrent=recurrent)]
    if not findings:
        clean = diagnosis.judgement.state == "clean"
        paragraphs = [Paragraph(diagnosis.without_findings(step)), *(_general(HEALTHY) if clean else [])]
    if any(finding.code in OF_SIZE for finding in findings):
        paragraphs.append(Paragraph(Content(ONE_STEP.format(step=step)), "Chart"))
    for remark in diagnosis.remarks:
        # The explanation of a code such as vanishing describes a net that fails, and this one does not.
        told = _finding(remark)
        paragraphs += told if remark.code in INFORMATION_CODES else told[:2]
    first, *others = paragraphs
    # Only what follows another finding needs an empty line above it.
    return [first._replace(begins=False), *others]


def _measured(factors: Factors | None) -> list[Paragraph]:
    """Return the factors by which the layers of the run multiply the gradient, in words."""
    if factors is None or (said := factors.headline).tone == "none":
        return []
    way = "" if factors.over_time else ", from the output layer to the input"
    when = f" (step {factors.step:,})" if factors.step else ""
    text = Content.assemble(f"{said.text}{way}{when}. ", ("P", "bold $accent"), " draws them.")
    return [Paragraph(text, "Factors")]


def _finding(finding: Finding, *, recurrent: bool = False) -> list[Paragraph]:
    mark, colour = MARKS[finding.severity]
    head = Content.assemble((f"{mark} {finding.code}", f"bold {colour}"), (f"  {finding.when}", "$secondary"))
    explanation = EXPLANATIONS.get(finding.code)
    if explanation is not None and recurrent:
        explanation = explanation.over_time or explanation
    general = [] if explanation is None else _general(explanation)
    return [Paragraph(head, begins=True), Paragraph(Content(finding.evidence)), *general]


def _general(explanation: Explanation) -> list[Paragraph]:
    return [Paragraph(Content(said), label) for label, said in explanation.parts]
