"""Find out whether a script clears its gradients between two steps, and clips them at the right place.

The writes to one gradient show the clearing. A backward pass either makes a new tensor where the gradient was
cleared, or adds to the one that is there, which counts as one write. Clearing in place is a write of its own.
"""

from __future__ import annotations

from gradtui.monitor.gradients import GradVersion


class ClearingCount:
    """A ClearingCount counts the steps whose gradients still contained those of the step before, and all others."""

    def __init__(self) -> None:
        self.kept = 0
        """The number of steps whose gradients were only ever added to since the step before."""
        self.cleared = 0
        """The number of the other steps, if that is known of them."""
        self.first_kept = 0
        """The number of the first step that kept the gradients of the step before."""
        self.emptied = 0
        """The number of steps whose gradients had arrived, and were gone again when the optimizer took the step."""
        self.clips_between = 0
        """The number of steps before which gradients were clipped after their backward pass."""
        self.clips_elsewhere = 0
        """The number of steps before which gradients were only clipped before their backward pass."""
        self._clipped: set[bool] = set()
        self._last: GradVersion | None = None
        """The gradient after the last backward pass or step; None where it is not known."""
        self._added = False
        self._replaced = False

    @property
    def clips(self) -> bool:
        """Return whether the script has called a function that clips."""
        return bool(self.clips_between or self.clips_elsewhere or self._clipped)

    def clip(self, *, passes: int) -> None:
        """Take note that gradients are clipped, after so many backward passes since the last step."""
        self._clipped.add(passes > 0)

    def after_pass(self, version: GradVersion | None) -> None:
        """Take the gradient as it is at the end of a backward pass."""
        if self._last is None or version is None:
            return
        if version.continues(self._last):
            self._added |= version.version > self._last.version
        else:
            self._replaced = True
        self._last = version

    def after_step(self, version: GradVersion | None, step: int, *, passes: int) -> None:
        """Take the gradient as it is after an optimizer step; None if the next passes will not be seen.

        `passes` is the number of backward passes since the step before.
        """
        self.clips_between += True in self._clipped
        # Gradients without a backward pass are written by hand, and may well be clipped.
        self.clips_elsewhere += self._clipped == {False} and passes > 0
        self._clipped = set()
        if self._replaced:
            self.cleared += 1
        elif self._added:
            self.kept += 1
            self.first_kept = self.first_kept or step
        self._last, self._added, self._replaced = version, False, False
