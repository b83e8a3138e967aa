"""Whether the batches of an experiment can be split over processes. Needs no torch."""

from __future__ import annotations

from gradtui.experiment import Experiment
from gradtui.experiment.errors import ExperimentError

NAMED_DEVICE = "cuda:"


def check_splits(exp: Experiment, processes: int) -> None:
    """Raises ExperimentError, which names the field, where that many processes cannot train it."""
    if processes < 1 or processes > exp.data.batch_size:
        allowed = (
            f"1 to {exp.data.batch_size}, the size of a batch (data.batch_size), of which each takes its part"
        )
        raise ExperimentError("--nproc", processes, allowed)
    if processes == 1:
        return
    for index, group in enumerate(exp.net):
        if group.norm == "batch":
            problem = "batch norm takes its statistics over the whole batch, and --nproc splits it"
            raise ExperimentError(f"net.{index}.norm", problem=problem, allowed="another norm, or --nproc 1")
    if exp.run.device == "mps" or exp.run.device.startswith(NAMED_DEVICE):
        problem = f"{exp.run.device} is one device, and --nproc {processes} needs one for each process"
        raise ExperimentError("run.device", problem=problem, allowed='"auto", "cuda" or "cpu"')
