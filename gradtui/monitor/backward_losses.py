"""Record the loss of each step from its backward passes, for scripts that log no loss.

If a script logs its loss, only the first root is kept, with what is known from its graph: if the logged number is the
same, that holds for the logged loss too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gradtui.monitor.backward_root import BackwardRoot
from gradtui.monitor.run_writer import BACKWARD_LOSS, ScriptRunWriter
from gradtui.monitor.scalar_log import ScalarLog

LOGGED = "loss"
ROOT = "root"
"""The name in run.json of the facts from the first backward pass of a script that logs its loss."""


class PassRoots:
    """PassRoots holds the roots of the passes that gave one optimizer its gradients, since its last step.

    A root is None if it could not be found. The loss of a step is the mean of its roots, which is right if the script
    divides by the number of passes, or if each pass is a batch of its own.
    """

    def __init__(self) -> None:
        self._roots: list[BackwardRoot | None] = []
        self._first: BackwardRoot | None = None
        self._begun = False

    def add(self, root: BackwardRoot | None) -> None:
        """Add the root of a pass that has reached a parameter; a pass may reach several parameters."""
        if root is not None and self._roots and self._roots[-1] is root:
            return
        self._roots.append(root)
        if not self._begun:
            self._begun, self._first = True, root

    def keep_newest(self) -> None:
        """Forget the roots of all passes but the newest: their gradients were cleared."""
        del self._roots[:-1]

    def take(self, *, first: bool = False, whole: bool = True) -> list[BackwardRoot]:
        """Return the roots of the step, empty where one is not known, and forget them.

        Args:
            first: Whether only the first pass counts, since the step's closure may have tried several weights.
            whole: Whether it is known which gradients were cleared; if not, a loss is known only from a single pass.
        """
        roots: list[BackwardRoot | None] = [self._first] if first else self._roots
        self._roots, self._first, self._begun = [], None, False
        if not whole and len(roots) != 1:
            return []
        known = [root for root in roots if root is not None]
        return known if len(known) == len(roots) else []


class BackwardLosses:
    """BackwardLosses writes the loss of each round in which all optimizers had their gradients from the same passes.

    If they had not, as the two of a GAN, the step has no single loss. Nothing is written once the script logs a loss.
    """

    def __init__(
        self, writer: ScriptRunWriter, log: ScalarLog, device: torch.device, optimizer_count: int
    ) -> None:
        self.on_host = device.type == "cpu"
        self._writer = writer
        self._log = log
        self._optimizer_count = optimizer_count
        self._round: dict[int, tuple[list[BackwardRoot], Tensor | None]] = {}
        self._held: tuple[int, float, list[float | Tensor]] | None = None
        """The first loss, kept back for one step, by which time a script that logs its loss has done so."""
        self._known: tuple[str, float] | None = None
        """The kind of the loss, and the loss of guessing."""
        self._begun = False
        self._over = writer.folder is None

    @property
    def wanted(self) -> bool:
        """Return whether losses are still written."""
        return not self._over

    @property
    def kind_wanted(self) -> bool:
        """Return whether it is not yet known which kind of loss this is."""
        return self._known is None

    def take(self, optimizer: int, roots: list[BackwardRoot], scale: Tensor | None) -> None:
        """Add the roots of one optimizer's step, and the factor of a gradient scaler."""
        if not self._over and roots:
            self._round[optimizer] = (roots, scale)

    def end_step(self, step: int, moment: float) -> None:
        """Write the loss of the step that has ended."""
        if self._over:
            return
        taken, self._round = list(self._round.values()), {}
        if self._log.logs(LOGGED):
            self._over = True
            if self._held is None and not self._begun:
                self._hold(taken, step, moment)
            if self.on_host:
                self._keep_root()
            return
        self._release()
        if self._begun:
            if (numbers := self._numbers(taken)) is not None:
                self._log.add_row(BACKWARD_LOSS, step, moment, numbers)
        else:
            self._hold(taken, step, moment)

    def _hold(self, taken: list[tuple[list[BackwardRoot], Tensor | None]], step: int, moment: float) -> None:
        """Hold the first loss back, and what its graph told."""
        numbers = self._numbers(taken)
        if numbers is None:
            return
        roots, scale = taken[0]
        chance = roots[0].known.chance / (1.0 if scale is None or scale.is_cuda else float(scale))
        self._known = roots[0].known.kind, chance
        self._held = step, moment, numbers

    def _keep_root(self) -> None:
        """Keep what the first loss was and what its graph told; its number has to have arrived, or is waited for."""
        if self._held is None or self._known is None:
            return
        (step, _, numbers), self._held = self._held, None
        kind, chance = self._known
        if kind:
            told = {"step": step, "loss": sum(map(float, numbers)) / len(numbers), "kind": kind}
            self._writer.keep(**{ROOT: told | ({"chance": chance} if math.isfinite(chance) else {})})

    def _numbers(self, taken: list[tuple[list[BackwardRoot], Tensor | None]]) -> list[float | Tensor] | None:
        """The losses of a step's passes; None where its optimizers had their gradients from different ones."""
        if not taken or len(taken) < self._optimizer_count:
            return None
        roots, scale = taken[0]
        if any(
            len(other) != len(roots) or any(a is not b for a, b in zip(other, roots, strict=True))
            for other, _ in taken[1:]
        ):
            return None
        return [root.value for root in roots] if scale is None else [_over(r.value, scale) for r in roots]

    def finish(self) -> None:
        """Write the loss that was kept back."""
        if self._log.logs(LOGGED):
            self._keep_root()
        elif not self._over:
            self._release()
            self._log.catch_up(wait=True)

    def _release(self) -> None:
        if self._held is not None and self._known is not None:
            (step, moment, numbers), self._held = self._held, None
            self._writer.begin_backward_loss(*self._known)
            self._begun = True
            self._log.add_row(BACKWARD_LOSS, step, moment, numbers)


def _over(value: float | Tensor, scale: Tensor) -> float | Tensor:
    """Return a root divided by the factor of a scaler, without waiting for the device."""
    return value / scale.to(value.device) if isinstance(value, Tensor) else value / float(scale)
