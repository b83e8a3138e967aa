"""The experiment being edited, with its past: frozen values make undo a list."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradtui.experiment import Experiment


@dataclass(frozen=True)
class Draft:
    """An experiment with what it was before (``past``) and what was undone (``future``)."""

    experiment: Experiment
    past: tuple[Experiment, ...] = ()
    future: tuple[Experiment, ...] = ()

    def change(self, experiment: Experiment) -> Draft:
        """The draft after an edit; an edit that changes nothing leaves no trace."""
        if experiment == self.experiment:
            return self
        return Draft(experiment, (*self.past[-199:], self.experiment))

    def undo(self) -> Draft:
        """One edit back, where there is one."""
        if not self.past:
            return self
        return Draft(self.past[-1], self.past[:-1], (self.experiment, *self.future))

    def redo(self) -> Draft:
        """One undone edit forth, where there is one."""
        if not self.future:
            return self
        return replace(
            self, experiment=self.future[0], past=(*self.past, self.experiment), future=self.future[1:]
        )
