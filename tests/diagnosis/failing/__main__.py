"""Draw failing nets, train them with the advice, and print how often it helps."""

from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.diagnosis.failing.drawing import REPORTING, drawn
from tests.diagnosis.failing.measuring import measured
from tests.diagnosis.failing.table import report
from tests.diagnosis.labelled.trainings import Trainings


def main() -> None:
    """Run `python -m tests.diagnosis.failing`."""
    parser = ArgumentParser(prog="python -m tests.diagnosis.failing", description=__doc__)
    parser.add_argument("--nets", type=int, default=150, help="how many failing nets")
    parser.add_argument("--first", type=int, default=REPORTING, help="the first seed")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the runs: what lies there is not trained again"
    )
    wanted = parser.parse_args()
    with TemporaryDirectory() as folder:
        trainings = Trainings(wanted.keep or Path(folder))
        nets = []
        try:
            for net in islice(measured(drawn(wanted.first), trainings), wanted.nets):
                nets.append(net)
                print(net.line(), flush=True)
        finally:
            trainings.close()
    print(report(nets))


if __name__ == "__main__":
    main()
