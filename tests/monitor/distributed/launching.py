"""Start real processes as torchrun starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gradtui
from gradtui.runs.reader import Run

HEAD = """
import os, sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import gradtui

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
x, y, net = torch.load(os.environ["MATERIAL"], weights_only=False)
"""


# When Python ends a process, gloo's threads abort one in five, watched or not; so it ends by os._exit.
TAIL = r"""
import os
probe.close()
os.write(1, f"{'writes' if probe.run else 'silent'} {os.environ['RANK']}\n".encode())
os._exit(0)
"""


def launch(
    folder: Path, body: str, material: Path, *, head: str = HEAD, processes: int = 2, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `head` and `body` in so many processes; `material` holds inputs, targets and a model. Runs are made in
    `folder`/runs. At the end each process says whether it writes one."""
    script = folder / "train.py"
    script.write_text(head + body + TAIL)
    # --standalone finds a port that is free.
    words = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={processes}", "--max-restarts=0"]
    environment = {
        **os.environ,
        "GRADTUI_HOME": str(folder),
        "MATERIAL": str(material),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words, str(script)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
    )


def the_run(folder: Path) -> Run:
    """Return the only run in `folder`/runs."""
    (only,) = (folder / "runs").iterdir()
    return gradtui.open_run(only)
