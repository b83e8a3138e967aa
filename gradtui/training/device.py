"""Where to train."""

from __future__ import annotations

from math import prod

import torch

from gradtui.experiment import Experiment, NetShape
from gradtui.experiment.errors import ExperimentError

CPU_FLOPS = 3e10
"""Multiplications and additions a second of one core, as torch reaches them in nets of moderate width."""
LAYER_SECONDS = 1.5e-4
"""What a GPU takes for a step of one layer however small:

about 15 kernels of 10 µs, launched one after another.
"""
GAIN = 3.0
"""A GPU must be estimated to be this much faster: it costs a second to start, and the estimate is rough."""


def choose(exp: Experiment, net: NetShape) -> torch.device:
    """The device that `run.device` names; of "auto" a GPU only where the net is large enough to gain by it.

    Estimated from shapes alone: a step on the CPU takes 6 floating-point operations (2 forward, 4 backward)
    for each weight, place (of an image or sequence) and example, over CPU_FLOPS and the threads; on a GPU
    LAYER_SECONDS for each layer (of a recurrent layer: for each of its steps). The GPU is taken where the
    first is more than GAIN times the second. So 20 dense layers of 64 stay on the CPU, and a ResNet on
    CIFAR-10 goes to the GPU.

    Raises ExperimentError where a device is named that this machine or this torch does not have.
    """
    wish = exp.run.device
    if wish == "auto":
        gpu = _gpu()
        return torch.device(gpu if gpu and _gains(exp, net) else "cpu")
    if wish.startswith("cuda"):
        _check_cuda(wish)
    if wish == "mps" and not torch.backends.mps.is_available():
        raise _missing(wish, "this machine has no such device that torch can use")
    return torch.device(wish)


def _gpu() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def _gains(exp: Experiment, net: NetShape) -> bool:
    cpu = gpu = 0.0
    for layer in net.layers:
        # Channels stand first in an image's shape and last in a sequence's.
        places = prod(layer.output[1:]) if len(layer.output) == 3 else prod(layer.output[:-1])
        cpu += 6.0 * layer.parameters * places * exp.data.batch_size
        gpu += LAYER_SECONDS * (places if layer.kind in ("rnn", "lstm", "gru") else 1)
    threads = exp.run.threads or torch.get_num_threads()
    return cpu / (CPU_FLOPS * threads) > GAIN * gpu


def _check_cuda(wish: str) -> None:
    if torch.version.cuda is None and torch.version.hip is None:
        raise _missing(wish, "this torch is built without CUDA")
    count = torch.cuda.device_count()
    if int(wish.partition(":")[2] or 0) >= count:
        found = f"only {count}, counted from 0" if count else "none"
        raise _missing(wish, f"of CUDA devices this machine has {found}")


def _missing(wish: str, why: str) -> ExperimentError:
    return ExperimentError("run.device", wish, problem=f"{wish} was asked for, but {why}")
