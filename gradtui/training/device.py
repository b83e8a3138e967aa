"""Choose the device to train on, and check before a net is built that it fits into memory.

Linux grants more memory than it has and later kills the process, which then cannot report a reason.
"""

from __future__ import annotations

import torch

from gradtui.experiment import Experiment, NetShape
from gradtui.experiment.errors import ExperimentError
from gradtui.experiment.memory import examples, memory_of
from gradtui.experiment.net_plan import RECURRENT
from gradtui.ordinary_files import in_bytes
from gradtui.training.failures import TrainingFailed
from gradtui.training.machine import free_bytes

CPU_FLOPS = 3e10
"""The multiplications and additions per second of one core that torch reaches in nets of moderate width."""
GPU_LAYER_SECONDS = 1.5e-4
"""The least time of a step of one layer on a GPU: about 15 kernels of 10 µs, launched one after another."""
GPU_GAIN = 3.0
"""The least estimated speedup for which a GPU is chosen, because it takes a second to start and the estimate is
rough."""
CERTAIN_SHARE = 0.9
"""The share of the estimated activations that is certainly needed, since the estimate is within a tenth of torch's."""


def choose(exp: Experiment, net: NetShape) -> torch.device:
    """Return the device that `run.device` names; for "auto", a GPU only where the net is large enough to gain from it.

    The gain is estimated from shapes: a step on the CPU takes 6 floating-point operations (2 forward, 4 backward) for
    each weight, place (of an image or sequence) and example, divided by CPU_FLOPS and the threads; on a GPU it takes
    GPU_LAYER_SECONDS for each layer, and in a recurrent layer for each time step. The GPU is chosen where the first is
    more than GPU_GAIN times the second. So 20 dense layers of 64 stay on the CPU, and a ResNet on CIFAR-10 runs on the
    GPU.

    Raises ExperimentError where `run.device` names a device that this machine or this torch does not have.
    """
    name = exp.run.device
    if name == "auto":
        gpu = _gpu()
        return torch.device(gpu if gpu and _gains(exp, net) else "cpu")
    if name.startswith("cuda"):
        _check_cuda(name)
    if name == "mps" and not torch.backends.mps.is_available():
        raise _missing(name, "this machine has no such device that PyTorch can use")
    return torch.device(name)


def _gpu() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def _gains(exp: Experiment, net: NetShape) -> bool:
    cpu = gpu = 0.0
    for layer in net.layers:
        cpu += 6.0 * layer.parameters * layer.places * exp.data.batch_size
        gpu += GPU_LAYER_SECONDS * (layer.places if layer.kind in RECURRENT else 1)
    threads = exp.run.threads or torch.get_num_threads()
    return cpu / (CPU_FLOPS * threads) > GPU_GAIN * gpu


def _check_cuda(name: str) -> None:
    if torch.version.cuda is None and torch.version.hip is None:
        raise _missing(name, "this PyTorch is built without CUDA")
    count = torch.cuda.device_count()
    if int(name.partition(":")[2] or 0) >= count:
        found = f"only {count}, numbered from 0" if count else "none"
        raise _missing(name, f"of CUDA devices this machine has {found}")


def _missing(name: str, why: str) -> ExperimentError:
    return ExperimentError("run.device", name, problem=f"{name} was requested, but {why}")


def check_fits(exp: Experiment, parameters: int, device: torch.device) -> None:
    """Raise TrainingFailed where the net needs more of this machine's memory than is free.

    On the CPU it needs weights, gradients, the optimizer's state and the tensors that are kept for the backward pass;
    for a GPU it needs the weights, which are drawn on the CPU. Only nets that cannot work are refused.
    """
    memory = memory_of(exp, parameters)
    needed = memory.weights
    kept = 0
    if device.type == "cpu":
        needed += memory.gradients + memory.optimizer
        kept = round(CERTAIN_SHARE * memory.activations)
    free = free_bytes()
    if needed + kept > free:
        batch = f", a batch of {examples(exp):,} examples {in_bytes(kept)}" if kept > needed / 10 else ""
        raise TrainingFailed(
            f"out of memory: the net's {parameters:,} parameters need {in_bytes(needed)} to train{batch}, "
            f"and {in_bytes(free)} are free"
        )


def free_on(device: torch.device) -> int:
    """Return the free bytes of a device's memory."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_bytes()
