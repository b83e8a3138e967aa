"""Guide a person through a lesson: load experiments, show panes, and check answers against the run.

The panes of the lab stay as they are, with all their keys; the text of the lesson is below them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from gradtui.lessons.answers import NotYet, check_answer, layer_of, number_of
from gradtui.lessons.lesson import Question
from gradtui.lessons.library import note_step, read_progress, words_of
from gradtui.metrics import find as find_metric
from gradtui.runs.reader import Run, open_run
from gradtui.ui.screens.dialogs import AskScreen
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.lesson_pane import AnswerScreen, LessonPane
from gradtui.ui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from gradtui.experiment import Experiment
    from gradtui.lessons.library import LessonEntry
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.screens.lab.lab_screen import LabScreen

WATCH_SECONDS = 0.3
"""The seconds between two checks whether another run is on the screen."""


class LessonGuide:
    """A LessonGuide guides a person through one lesson in the lab.

    Args:
        lab: the screen.
        entry: the lesson.
        finish: called when the last step is left.
    """

    def __init__(self, lab: LabScreen, entry: LessonEntry, finish: Callable[[], None]) -> None:
        self.lab = lab
        self.lesson = entry.lesson
        self.index = 0
        """The step, from 0."""
        self._finish = finish
        self._answered: set[int] = set()
        self._verdict: tuple[bool, str] | None = None
        self._hint = False
        self._skips = False
        self._seen: FollowedRun | None = lab.followed
        self._say = words_of(entry.language)
        self.pane = LessonPane(self._say)

    async def begin(self) -> None:
        """Show the first step that is not finished yet; if all are finished, the first one."""
        self.lab.add_class("-lesson")
        await self.lab.mount(self.pane, before=self.lab.query_one(KeyLine))
        done = read_progress().get(self.lesson.lesson, [])
        left = [index for index in range(len(self.lesson.step)) if index + 1 not in done]
        self.pane.set_interval(WATCH_SECONDS, self._watch)
        self._go_to(left[0] if left else 0)

    async def end(self) -> None:
        """Remove the lesson from the screen."""
        self.lab.remove_class("-lesson")
        await self.pane.remove()

    @property
    def question(self) -> Question | None:
        """Return the question of the step, where it is still to be answered."""
        return None if self.index in self._answered else self.lesson.step[self.index].question

    def next(self) -> None:
        """Go to the next step; a question that was not answered is skipped by asking twice."""
        if self.question is not None and not self._skips:
            self._skips = True
            # The hint is in the pane's frame, since a toast would cover the charts that the question is about.
            self.pane.border_subtitle = self._say("E answers the question; > once more skips it.")
            return
        if self.question is None:
            self._note()
        if self.index == len(self.lesson.step) - 1:
            self._finish()
        else:
            self._go_to(self.index + 1)

    def back(self) -> None:
        """Go to the step before."""
        self._go_to(max(0, self.index - 1))

    def hint(self) -> None:
        """Show the hint of the question, or the text again."""
        if self.question is not None:
            self._hint = not self._hint
            self._show()

    def answer(self) -> None:
        """Ask for the answer to the question."""
        question = self.question
        if question is None:
            return
        if question.kind == "choice":
            choices = [choice.text for choice in question.choices]
            self.lab.app.push_screen(AnswerScreen(question.ask, choices, self._say), self._take)
            return
        names = self._layer_names()
        pointed = self.lab.query_one(GradientPane).pointed if question.kind == "layer" else None
        hint = "its number or name" if question.kind == "layer" else "a number, such as 0.24 or 1e-12"

        def check(text: str) -> None:
            try:
                layer_of(text, names) if question.kind == "layer" else number_of(text)
            except ValueError as error:
                raise ValueError(self._say(str(error))) from None

        value = "" if pointed is None else str(pointed + 1)
        keys = self._say(f"{hint} · enter answer · esc back")
        self.lab.app.push_screen(AskScreen(question.ask, value, keys, check), self._take)

    # -- steps

    def _go_to(self, index: int) -> None:
        self.index = index
        self._verdict, self._hint, self._skips = None, False, False
        self._load()
        self._show_pane()
        self._show()
        self.lab.refresh_bindings()

    def _load(self) -> None:
        """Put the step's experiment into the builder, and stop the training of the step before."""
        expected = self.lesson.experiment_of(self.index)
        if expected is None or not self.lesson.step[self.index].experiment:
            return
        run = self.lab.followed
        if run is not None and run.live and run.trainer is not None and not _trains(run.experiment, expected):
            self.lab.controls.send(run, "stop")
        if expected != self.lab.workbench.experiment:
            self.lab.workbench.take(expected)

    def _show_pane(self) -> None:
        shown = self.lesson.step[self.index].show
        if not shown:
            return
        metric = find_metric(shown)
        charts = ("gradient", "product", "plane")
        self.lab.action_tab("gradient" if shown in charts or metric is not None else shown)
        run = self.lab.followed
        if run is not None and metric is not None:
            if shown in run.metrics:
                self.lab.cursor.show(metric=shown, factors=False, plane=False)
            return
        if run is None or shown not in charts:
            return
        if run.request.plane != (shown == "plane"):
            self.lab.cursor.show_plane()
        if shown != "plane" and run.request.draws_factors != (shown == "product"):
            self.lab.cursor.show_factors()

    def _watch(self) -> None:
        """Show the step's pane for a new run on the screen, once the run has recorded data."""
        run = self.lab.followed
        if run is not self._seen and (run is None or run.metrics):
            self._seen = run
            self._show_pane()

    def _show(self) -> None:
        self.pane.show(
            self.lesson,
            self.index,
            answered=self.index in self._answered,
            verdict=self._verdict,
            hint=self._hint,
        )

    # -- answers

    def _layer_names(self) -> list[str]:
        snapshot = self.lab.followed.snapshot if self.lab.followed is not None else None
        return list(snapshot.layer_names) if snapshot is not None else []

    def _take(self, answer: str | None) -> None:
        question = self.question
        if answer is None or question is None:
            return
        if question.kind == "choice" and not answer.isdigit():
            # A key of the lesson was pressed over its answers.
            getattr(self, answer)()
            return
        try:
            verdict = check_answer(question, answer, self._run(question))
        except NotYet as error:
            said = self._say(str(error))
            self._verdict = False, f"{said[:1].upper()}{said[1:]}{'.' if said.isascii() else '。'}"
        except ValueError as error:
            self._verdict = False, self._say(f"Not an answer: {self._say(str(error))}.")
        else:
            line = self._say(verdict.line)
            wrong = self._say(f"Not this: {line}. H gives a hint.")
            self._verdict = verdict.right, line if verdict.right else wrong
            if verdict.right:
                self._answered.add(self.index)
                self._note()
                self.lab.refresh_bindings()
        self._show()

    def _run(self, question: Question) -> Run | None:
        """Return the run that the question is about. Raises NotYet where another one is on the screen."""
        followed = self.lab.followed
        expected = self.lesson.experiment_of(self.index)
        if question.quantity is None or followed is None:
            return None
        if expected is not None and not _trains(followed.experiment, expected):
            if expected != self.lab.workbench.experiment:
                self.lab.workbench.take(expected)
            raise NotYet("this run trains another experiment: press space to train that of this step")
        return open_run(followed.folder)

    def _note(self) -> None:
        # If progress cannot be saved, the lesson continues; the settings report the problem of the folder once.
        with contextlib.suppress(OSError):
            note_step(self.lesson.lesson, self.index + 1)


def _trains(one: Experiment | None, other: Experiment) -> bool:
    """Return whether two experiments train the same net in the same way, for however many steps."""
    return one is not None and (one.net, one.data, one.optimizer, one.cures) == (
        other.net, other.data, other.optimizer, other.cures,
    )  # fmt: skip
