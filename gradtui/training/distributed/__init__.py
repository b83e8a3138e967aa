"""Train one experiment with several processes, each on its part of every batch. This file imports no torch.

agent.py starts the processes (gradtui.training.rank). Rank 0 is an ordinary trainer: only it has the optimizer, writes
the run's folder and obeys the viewers. The other ranks keep no state between steps: at each step they receive the
batch's number and the weights, and return the gradient of their part of the batch. So pausing, resuming, forking and
rolling back work as with one process.

This moves as many bytes as an optimizer on every rank would, because a reduction and a broadcast are the two halves of
an all-reduce.
"""

from __future__ import annotations

from gradtui.experiment import Experiment
from gradtui.experiment.errors import ExperimentError

AGENT_VARIABLE = "GRADTUI_AGENT"
"""The environment variable with the process id of the agent that has started a rank."""
STORE_FOLDER_VARIABLE = "GRADTUI_STORE"
"""The environment variable with the folder, which only this user can enter, of the ranks' store."""
STORE_FILE = "store"
"""The file in that folder through which torch tells each rank the addresses of the others."""


def check_splits(exp: Experiment, processes: int) -> None:
    """Raise ExperimentError, which names the field, where that many processes cannot train the experiment."""
    if processes < 1 or processes > exp.data.batch_size:
        allowed = (
            f"1 to {exp.data.batch_size}, the batch size (data.batch_size), since each process takes a "
            "part of the batch"
        )
        raise ExperimentError("--nproc", processes, allowed)
    if processes == 1:
        return
    for index, group in enumerate(exp.net):
        if group.norm == "batch":
            problem = "batch norm needs statistics of the whole batch, but --nproc splits it"
            raise ExperimentError(f"net.{index}.norm", problem=problem, allowed="another norm, or --nproc 1")
    if exp.run.device == "mps" or exp.run.device.startswith("cuda:"):
        problem = f"{exp.run.device} is one device, but --nproc {processes} needs one for each process"
        raise ExperimentError("run.device", problem=problem, allowed='"auto", "cuda" or "cpu"')
