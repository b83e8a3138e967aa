"""Train failing nets, take the advice, and measure how often it helps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gradtui.diagnosis.monitor import RunDiagnosis
from gradtui.diagnosis.reading import evidence_of
from gradtui.diagnosis.rules import advice_without_finding, diagnose, has_learned, learns
from gradtui.experiment import Experiment, set_fields
from gradtui.experiment.data_shapes import data_shape
from gradtui.study.fixing import Attempt, attempt_of, best_of, next_cures
from tests.diagnosis.failing.reference import reference
from tests.diagnosis.labelled.trainings import Trainings

ROUNDS = 3
OFFERS = 3
"""So many of the first finding's cures are tried, each alone."""
WELL, LEAST, OF_BEST = 0.9, 0.3, 0.9
"""A net learns if its training accuracy is WELL, or OF_BEST of what the reference net comes to, and at least LEAST:
among ten classes. Among fewer it lies as far between guessing and right, or nets that guess would count."""
TEN = 10


@dataclass(frozen=True)
class Measured:
    """A Measured is one failing net, what came of the first advice, and of that of three rounds."""

    name: str
    attempts: tuple[Attempt, ...]
    """The trainings, the net as it is first."""
    reachable: float
    """The accuracy of the reference net."""
    classes: int = TEN
    """Of the data."""
    others: tuple[Attempt, ...] = ()
    """What came of the second and third cure of the first training; none where the net learns with the first."""

    @property
    def least(self) -> float:
        """Return the accuracy below which nothing counts as learned."""
        way = (LEAST - 1.0 / TEN) / (1.0 - 1.0 / TEN)
        return 1.0 / self.classes + way * (1.0 - 1.0 / self.classes)

    @property
    def can_learn(self) -> bool:
        """Return whether anything can be learned within its steps."""
        return max(self.reachable, *(_accuracy(made) for made in self.attempts)) >= self.least

    @property
    def code(self) -> str:
        """Return the code of its first finding."""
        return self.attempts[0].findings[0].code

    @property
    def first_clean(self) -> bool:
        """Return whether the first advice leaves no finding."""
        return len(self.attempts) > 1 and not self.attempts[1].findings

    @property
    def first_learns(self) -> bool:
        """Return whether the net learns with the first advice."""
        return len(self.attempts) > 1 and self._learns(self.attempts[1])

    @property
    def one_learns(self) -> bool:
        """Return whether the net learns with one of the first three cures, each taken alone."""
        return self.first_learns or any(map(self._learns, self.others))

    @property
    def learns(self) -> bool:
        """Return whether the net learns with the best of the rounds."""
        return self._learns(best_of(self.attempts))

    @property
    def worse(self) -> bool:
        """Return whether the net ends worse than it began."""
        return _accuracy(best_of(self.attempts)) < _accuracy(self.attempts[0]) - 0.02

    def _learns(self, made: Attempt) -> bool:
        accuracy = _accuracy(made)
        return not made.findings and (
            accuracy >= WELL or (accuracy >= self.least and accuracy >= OF_BEST * self.reachable)
        )

    def line(self) -> str:
        """Return it in a line."""
        rounds = "  ->  ".join(
            f"[{made.cure.name if made.cure else self.code}] {_accuracy(made):.2f}"
            + (f" {','.join(found.code for found in made.findings)}" if made.findings and made.cure else "")
            for made in self.attempts
        )
        marks = "".join(
            mark if met else "-"
            for mark, met in (("F", self.first_learns), ("O", self.one_learns), ("R", self.learns))
        )
        return f"{self.name} {marks} ref {self.reachable:.2f}: {rounds}"


def measured(experiments: Iterable[Experiment], trainings: Trainings) -> Iterator[Measured]:
    """Yield what came of each experiment in which something is found; the others are left out."""
    for experiment in experiments:
        attempts = [_trained(experiment, None, None, trainings)]
        if not attempts[0].findings:
            continue
        while len(attempts) <= ROUNDS and not attempts[-1].fixed:
            origin, offers = next_cures(attempts)
            if not offers:
                break
            cured = set_fields(origin.experiment, offers[0].set)
            attempts.append(_trained(cured, offers[0], origin, trainings))
        best = _trained(reference(experiment), None, None, trainings)
        made = Measured(
            experiment.name, tuple(attempts), _accuracy(best), data_shape(experiment.data).outputs
        )
        yield made if made.first_learns else replace(made, others=tuple(_others(attempts[0], trainings)))


def _others(first: Attempt, trainings: Trainings) -> Iterator[Attempt]:
    """Yield what comes of each of the first cures but the very first."""
    _, offers = next_cures([first])
    for offer in offers[1:OFFERS]:
        yield _trained(set_fields(first.experiment, offer.set), offer, first, trainings)


def _trained(experiment: Experiment, cure: object, origin: Attempt | None, trainings: Trainings) -> Attempt:
    evidence = evidence_of(trainings(experiment, experiment.seed))
    evidence = replace(evidence, parent=origin.experiment if origin else None)
    findings, learned = tuple(diagnose(evidence)), has_learned(evidence)
    advice = () if findings or learned else advice_without_finding(evidence)
    diagnosis = RunDiagnosis(evidence, findings, (), learns(evidence), learned, advice)
    return attempt_of(experiment, cure, diagnosis)


def _accuracy(made: Attempt) -> float:
    return 0.0 if math.isnan(made.outcome.accuracy) else made.outcome.accuracy
