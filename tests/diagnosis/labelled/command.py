"""Train the whole labelled set and print how often the diagnosis is right."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from gradtui.diagnosis import evidence_of
from tests.diagnosis.labelled import recorded
from tests.diagnosis.labelled.cases import HALVES, SEEDS, Case, cases
from tests.diagnosis.labelled.criterion import confirmed, undone
from tests.diagnosis.labelled.figures import figures_of
from tests.diagnosis.labelled.judging import judged
from tests.diagnosis.labelled.table import report
from tests.diagnosis.labelled.trainings import Trainings


def main() -> None:
    """Run `python -m tests.diagnosis.labelled`."""
    parser = ArgumentParser(prog="python -m tests.diagnosis.labelled", description=__doc__)
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="others than the set's own")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the runs: what lies there is not trained again"
    )
    parser.add_argument("--confirm", action="store_true", help="hold every label to its criterion instead")
    parser.add_argument("--record", action="store_true", help="write what the quick tests read anew instead")
    wanted = parser.parse_args()
    chosen = [case for case in cases() if wanted.half in (None, case.half)]
    with TemporaryDirectory() as folder:
        trainings = Trainings(wanted.keep or Path(folder))
        try:
            if wanted.record:
                _record(chosen, trainings)
            elif wanted.confirm:
                wrong = unconfirmed(chosen, trainings, wanted.seeds)
                print("\n".join(wrong) or f"all {len(chosen)} labels are what came of the trainings")
                sys.exit(bool(wrong))
            else:
                print(report(list(judged(chosen, trainings, wanted.seeds))))
        finally:
            trainings.close()


def unconfirmed(chosen: Iterable[Case], trainings: Trainings, seeds: Sequence[int] = SEEDS) -> list[str]:
    """Return a line for each run whose figures are not what its label says, or whose control is no better."""
    wrong = []
    for case in chosen:
        figures = [figures_of(trainings(case.experiment, seed)) for seed in seeds]
        for seed, made in zip(seeds, figures, strict=True):
            if not confirmed(case.label, made):
                wrong.append(f"- {case.half}, {case.label}: {case.name}, seed {seed}: {made}")
        # The label of a degraded net lies in the comparison, so each of its runs is compared.
        compared = seeds if case.partner else seeds[:1]
        for seed, made in zip(compared, figures, strict=False):
            if case.control and not undone(case.label, made, figures_of(trainings(case.control, seed))):
                wrong.append(
                    f"- {case.half}, {case.label}: {case.name}, seed {seed}: its control is no better: {made}"
                )
    return wrong


def _record(chosen: Iterable[Case], trainings: Trainings) -> None:
    for case in chosen:
        if not case.recorded:
            continue
        recorded.write(case.recorded, evidence_of(trainings(case.experiment, SEEDS[0])))
        if case.partner:
            recorded.write(f"{case.recorded}-partner", evidence_of(trainings(case.partner, SEEDS[0])))
