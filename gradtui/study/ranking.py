"""Changes of one net, ranked by what was measured: a study without a grid, its first change the one to beat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradtui.diagnosis.outcome import Outcome, rank
from gradtui.study.plan import named
from gradtui.study.spec import StudySpec
from gradtui.study.study_state import Ranked, StudyRow


def ranked(spec: StudySpec, rows: Sequence[StudyRow]) -> tuple[Ranked, ...]:
    """The changes but the first, the best first: healed before not, then by what was learned, then by the time of a
    step. Nothing where the study has a grid, or no two changes whose runs have ended."""
    if spec.grid or len(spec.change) < 2:
        return ()
    outcomes: dict[str, list[Outcome]] = {}
    for row in rows:
        if row.judged and row.outcome is not None:
            outcomes.setdefault(row.member.change, []).append(row.outcome)
    first = outcomes.pop(named(spec.change[0]), [])
    if not first:
        return ()
    made = rank([(change, together(each)) for change, each in outcomes.items()], together(first))
    return tuple(Ranked(change, verdict, len(outcomes[change])) for change, verdict in made)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of several seeds; there is at least one."""

    def mean(name: str) -> float:
        values = [float(getattr(outcome, name)) for outcome in outcomes]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    return Outcome(
        codes=tuple(dict.fromkeys(code for outcome in outcomes for code in outcome.codes)),
        step=max(outcome.step for outcome in outcomes),
        loss=mean("loss"),
        accuracy=mean("accuracy"),
        test_accuracy=mean("test_accuracy"),
        drop=mean("drop"),
        seconds=mean("seconds"),
    )
