"""Train the set, each training in a separate process, and print which verdicts are wrong.

``python -m tests.diagnosis.scripts [--mode loss|line] [--fixed] [--only REGEX]``
"""

from __future__ import annotations

import argparse
import re
import sys

from tests.diagnosis.scripts.judging import Judged, judge
from tests.diagnosis.scripts.set import TRAININGS


def main() -> int:
    """Judge the chosen trainings; return 1 where a verdict is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.diagnosis.scripts", description=__doc__)
    parser.add_argument("--mode", choices=("loss", "line"), default="loss")
    parser.add_argument("--fixed", action="store_true", help="the failing ones without their fault")
    parser.add_argument("--only", default="", metavar="REGEX")
    given = parser.parse_args()
    chosen = [
        training
        for training in TRAININGS.values()
        if re.search(given.only, training.name) and (training.codes or not given.fixed)
    ]
    results = []
    for training in chosen:
        results.append(judge(training, logs=given.mode == "loss", fixed=given.fixed))
        if not results[-1].right or not results[-1].as_expected:
            print(results[-1].line, flush=True)
    print(summary(results))
    return int(not all(result.right for result in results))


def summary(results: list[Judged]) -> str:
    """Return how many healthy trainings raised no alarm, and how many failing ones were named rightly."""
    quiet, named = [r for r in results if r.healthy], [r for r in results if not r.healthy]
    return (
        f"healthy without an alarm: {sum(r.right for r in quiet)} of {len(quiet)}; "
        f"failing and named rightly: {sum(r.right for r in named)} of {len(named)}"
    )


if __name__ == "__main__":
    sys.exit(main())
