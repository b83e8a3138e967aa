"""The keys of the lab that edit the experiment, each an action of the workbench, and the one that explains the run."""

from __future__ import annotations

from typing import Any

from textual import events

from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.one_answer import OneAnswer
from gradtui.ui.screens.lab.code_advice import choose_code, copy_first
from gradtui.ui.screens.lab.run_view import RunView
from gradtui.ui.screens.lab.workbench import Workbench


class EditingScreen(OneAnswer[Any]):
    """An EditingScreen has the actions of a screen with a workbench that edit its experiment and explain its run."""

    view: RunView
    """Which run is shown, and how; set by the lab."""

    @property
    def workbench(self) -> Workbench:
        """Return the left column, which owns the edited experiment."""
        return self.query_one(Workbench)

    @property
    def followed(self) -> FollowedRun | None:
        """Return the run on the screen; None before the first."""
        return self.view.run

    def action_why(self) -> None:
        """Explain what was found in the run, with its numbers."""
        from gradtui.ui.screens.why_screen import explain

        explain(self, self.followed, self.view.disk)

    def action_copy(self) -> None:
        """Copy the experiment to the clipboard as TOML; of a script's run, the first fix as code."""
        if not copy_first(self, self.followed):
            self.workbench.copy()

    def action_copy_string(self) -> None:
        """Copy the experiment to the clipboard as a short string."""
        self.workbench.copy_string()

    def on_paste(self, event: events.Paste) -> None:
        """Take over pasted TOML as the experiment, or as a part of it."""
        event.stop()
        self.workbench.paste(event.text)

    def action_all_settings(self) -> None:
        """Edit every field that is not the net's."""
        self.workbench.open_settings()

    def action_presets(self) -> None:
        """Open one of the recipes that ship."""
        self.workbench.choose_preset()

    def action_cures(self) -> None:
        """Apply a cure to the experiment; of a script's run, choose one and copy its code."""
        if not choose_code(self, self.followed):
            findings = self.followed.findings if self.followed is not None else None
            self.workbench.choose_cure([cure.key for finding in findings or () for cure in finding.cures])

    def action_save(self) -> None:
        """Save the experiment as TOML."""
        self.workbench.save()

    def action_undo(self) -> None:
        """Undo the last edit."""
        self.workbench.undo()

    def action_redo(self) -> None:
        """Redo the last undone edit."""
        self.workbench.redo()

    def action_open_file(self) -> None:
        """Open an experiment from a TOML file."""
        self.workbench.open_file()
