"""`--nproc`: how many processes train one run together."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment


def add_nproc(parser: ArgumentParser) -> None:
    """N."""
    parser.add_argument(
        "--nproc",
        type=int,
        metavar="N",
        help="train with N processes through torchrun, each on its part of every batch: on the cores of this machine, "
        "or on a GPU each",
    )


def check_nproc(args: Namespace, experiment: Experiment) -> None:
    """Raises ExperimentError where --nproc does not go with the experiment."""
    from gradtui.training.distributed import check_splits

    if args.nproc is not None:
        check_splits(experiment, args.nproc)
