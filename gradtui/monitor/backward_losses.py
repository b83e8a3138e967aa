"""Record the loss of each step from its backward passes, for scripts that log no loss.

If a script logs its loss, only the first root is kept, with what is known from its graph: if the logged number is the
same, that holds for the logged loss too.

What the best constant answer gives is taken from the newest passes: the targets may change. How far they
have changed is told by the mean and the variance of the first and of the newest ones.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from statistics import fmean

import torch
from torch import Tensor

from gradtui.monitor.backward_root import BackwardRoot
from gradtui.monitor.run_writer import BACKWARD_LOSS, ScriptRunWriter
from gradtui.monitor.scalar_log import ScalarLog

LOGGED = "loss"
ROOT = "root"
"""The name in run.json of the facts from the first backward pass of a script that logs its loss."""
CONSTANT = "constant"
"""The name in run.json of what the best constant answer to the newest batches gives."""
TARGETS = "targets"
"""The name in run.json of the mean and the variance of the first and of the newest targets."""
FIRST_BATCHES = 8
"""The number of batches of which the first targets are taken."""
NEWEST_BATCHES = 64
"""The number of batches by which it is judged: enough for the scatter of single ones, few enough to follow targets that
change."""
EVERY_AT_FIRST, THEN_EVERY = 32, 64
"""On the host so many steps are looked at one by one, and then one in so many, also those that are not recorded: of a
short run too few are. It takes up to 100 µs, so 0.16 % of steps that take a millisecond."""
FIRST_KEPT_AFTER = 16
"""Batches after which it is first written; then each time twice as many were seen, and at the end."""


class PassRoots:
    """PassRoots holds the roots of the passes that gave one optimizer its gradients, since its last step.

    A root is None if it could not be found. The loss of a step is the mean of its roots, which is right if the script
    divides by the number of passes, or if each pass is a batch of its own.
    """

    def __init__(self, before: Iterable[BackwardRoot | None] = ()) -> None:
        """Take the roots of the passes that came before the watching."""
        self._roots: list[BackwardRoot | None] = []
        self._first: BackwardRoot | None = None
        self._begun = False
        for root in before:
            self.add(root)

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
        self._known: tuple[str, float, int] | None = None
        """The kind of the loss, the loss of guessing, and the number of its terms."""
        self._constants: deque[tuple[Tensor, int, float]] = deque(maxlen=NEWEST_BATCHES)
        """The loss of the best constant answer to each of the newest batches, its examples, and a scaler's factor."""
        self._first_targets: list[tuple[Tensor, Tensor]] = []
        self._newest_targets: deque[tuple[Tensor, Tensor]] = deque(maxlen=FIRST_BATCHES)
        self._batches, self._next_kept = 0, FIRST_KEPT_AFTER
        self._begun = False
        self._over = writer.folder is None

    @property
    def wanted(self) -> bool:
        """Return whether losses are still written, or the targets are still looked at."""
        return not self._over or self.knows_targets

    @property
    def written(self) -> bool:
        """Return whether losses are still written: the script has logged none so far."""
        return not self._over

    @property
    def kind_known(self) -> bool:
        """Return whether it is known which kind of loss this is."""
        return self._known is not None

    @property
    def knows_targets(self) -> bool:
        """Return whether the graph tells of the targets."""
        return self._batches > 0

    def reads_graph(self, step: int) -> bool:
        """Return whether the graph of a step that is not recorded is to be read."""
        return self.on_host and (step < EVERY_AT_FIRST or step % THEN_EVERY == 0)

    def take(self, optimizer: int, roots: list[BackwardRoot], scale: Tensor | None) -> None:
        """Add the roots of one optimizer's step, and the factor of a gradient scaler."""
        if not self._over and roots:
            self._round[optimizer] = (roots, scale)
        if self._optimizer_count == 1 and (scale is None or not scale.is_cuda):
            factor = 1.0 if scale is None else float(scale)
            for known in (root.known for root in roots):
                if known.constant is not None:
                    self._constants.append((known.constant, known.examples, factor))
                if known.targets is not None:
                    self._newest_targets.append(known.targets)
                    if len(self._first_targets) < FIRST_BATCHES:
                        self._first_targets.append(known.targets)
                self._batches += known.constant is not None or known.targets is not None

    def end_step(self, step: int, moment: float) -> None:
        """Write the loss of the step that has ended."""
        if self._batches >= self._next_kept and self.on_host:
            self._next_kept = 2 * self._batches
            self._keep_targets()
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
        self._known = roots[0].known.kind, chance, roots[0].known.terms
        self._held = step, moment, numbers

    def _keep_root(self) -> None:
        """Keep what the first loss was and what its graph told; its number has to have arrived, or is waited for."""
        if self._held is None or self._known is None:
            return
        (step, _, numbers), self._held = self._held, None
        kind, chance, terms = self._known
        if kind or terms > 1:
            told = {
                "step": step + self._writer.offset,
                "loss": sum(map(float, numbers)) / len(numbers),
                "kind": kind,
                "terms": terms,
            }
            self._writer.keep(**{ROOT: told | ({"chance": chance} if math.isfinite(chance) else {})})

    def _numbers(self, taken: list[tuple[list[BackwardRoot], Tensor | None]]) -> list[float | Tensor] | None:
        """Return the losses of a step's passes; None where its optimizers had their gradients from different ones."""
        if not taken or len(taken) < self._optimizer_count:
            return None
        roots, scale = taken[0]
        if any(
            len(other) != len(roots) or any(a is not b for a, b in zip(other, roots, strict=True))
            for other, _ in taken[1:]
        ):
            return None
        if scale is None:
            return [root.value for root in roots]
        if any(isinstance(root.value, float) and math.isinf(root.value) for root in roots):
            # The loss itself may be finite: it is not known where its product with the scale overflows.
            return None
        return [_over(root.value, scale) for root in roots]

    def _keep_targets(self) -> None:
        """Keep what the best constant answer to the newest batches gives, and how far the targets have changed."""
        examples = sum(count for _, count, _ in self._constants)
        if examples:
            total = sum(float(loss) * count / factor for loss, count, factor in self._constants)
            self._writer.keep(**{CONSTANT: {"loss": total / examples, "examples": examples}})
        if self._first_targets:
            told = {
                name: {
                    "mean": _mean(mean for mean, _ in batches),
                    "variance": _mean(var for _, var in batches),
                }
                for name, batches in (("first", self._first_targets), ("newest", self._newest_targets))
            }
            self._writer.keep(**{TARGETS: told})

    def finish(self) -> None:
        """Write the loss that was kept back."""
        self._keep_targets()
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


def _mean(numbers: Iterable[Tensor]) -> float:
    return fmean(map(float, numbers))


def _over(value: float | Tensor, scale: Tensor) -> float | Tensor:
    """Return a root divided by the factor of a scaler, without waiting for the device."""
    return value / scale.to(value.device) if isinstance(value, Tensor) else value / float(scale)
