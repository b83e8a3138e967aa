"""Build from an experiment the whole state of a training between two steps.

To continue bit for bit, a checkpoint must hold `net`, `optimizer`, `batches`, `scale`, `step` and `exp` (whose learning
rate and cures may have been changed during the training).

The first `cures.pretrain.freeze` layers are frozen: the optimizer does not have their weights, so neither steps,
momentum nor decay change them, and their batch norms use their running statistics. Their gradients are computed and
recorded like all others, and count in the norm of all parameters together.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from gradtui import data, nets
from gradtui.data import Batches, Dataset
from gradtui.experiment import Experiment, net_shape, set_fields
from gradtui.experiment.errors import ExperimentError
from gradtui.nets import Net
from gradtui.probe.flat_gradients import FlatGradients
from gradtui.runs.control import LIVE
from gradtui.training import optimizers
from gradtui.training.device import check_fits, choose

if TYPE_CHECKING:
    from gradtui.training.distributed.process_group import ProcessGroup

DEFAULT_THREADS = torch.get_num_threads()
"""torch's default, which is read before it is changed."""
HALF_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Session:
    """A Session is a net, its data and its optimizer, at a step."""

    exp: Experiment
    """The present experiment, with the changes during the run."""
    device: torch.device
    dataset: Dataset
    """The data set on the device."""
    net: Net
    """The net on the device; weights and gradients are views of `flat`."""
    flat: FlatGradients
    optimizer: torch.optim.Optimizer
    batches: Batches
    scale: optimizers.LossScale
    step: int = 0
    """The number of steps taken."""
    group: ProcessGroup | None = None
    """The processes that share each batch; None where this process takes the whole batch."""

    @property
    def batch_size(self) -> int:
        """Return the number of examples in a step, which is limited by the size of the training set."""
        return self.batches.size

    @property
    def lr(self) -> float:
        """Return the learning rate of the next step."""
        spec = self.exp.optimizer
        return spec.lr * optimizers.rate_factor(spec, self.step + 1, self.exp.run.steps)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context within which the forward pass computes in the experiment's number format."""
        if self.exp.run.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, HALF_TYPES[self.exp.run.precision])

    def change(self, changes: dict[str, object]) -> None:
        """Change fields of the experiment for the next steps.

        Raises ExperimentError, and changes nothing.
        """
        for path in changes:
            if path not in LIVE:
                raise ExperimentError(path, problem="cannot change while it trains", allowed=", ".join(LIVE))
        self.exp = set_fields(self.exp, changes)
        optimizers.set_momentum(self.optimizer, self.exp.optimizer.momentum)


def build(exp: Experiment) -> Session:
    """Return a session at step 0, on the device of the experiment's choice.

    Numbers below 1e-38 are kept, which is torch's default, because they are vanishing gradients. In a net with many of
    them (60 sigmoid layers with torch's initialisation) the processor takes four times as long.

    Raises ExperimentError, DataError and TrainingFailed with one line each; MemoryError and RuntimeError as
    torch does.
    """
    torch.set_num_threads(exp.run.threads or DEFAULT_THREADS)
    shape = net_shape(exp)
    device = choose(exp, shape)
    # The fastest convolutions on CUDA may add in a different order each time.
    torch.backends.cudnn.deterministic = True
    check_fits(exp, shape.parameters, device)
    dataset = data.load(exp.data, exp.seed).to(device)
    net = nets.build(exp, dataset.shape, generator_seed=exp.seed).to(device)
    flat = FlatGradients([layer.parameters for layer in net.layers])
    frozen = min(exp.cures.pretrain.freeze, len(net.layers))
    net.freeze(frozen)
    first = flat.start_of(frozen)
    optimizer = optimizers.build(exp.optimizer, flat.weights[first:], flat.gradients[first:])
    batches = data.batches(dataset, exp.data.batch_size, exp.seed)
    return Session(exp, device, dataset, net, flat, optimizer, batches, optimizers.LossScale(exp.run))
