"""Define the left column of the lab, which owns the edited experiment and every way to edit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import var

from gradtui.experiment import Experiment, ExperimentError, load
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.field_values import Draft, info_at, put, value_at
from gradtui.ui.screens.lab.code_advice import choose_code, copy_first
from gradtui.ui.screens.lab.findings_pane import FindingsPane
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.lab.training_pane import TrainingPane
from gradtui.ui.widgets.stats_pane import StatsPane
from gradtui.words import value_in_words

if TYPE_CHECKING:
    from gradtui.diagnosis import CureOffer
    from gradtui.ui.followed_run import FollowedRun

_ALL_PARTS = ("", "data", "optimizer", "cures", "cures.pretrain", "run")


class Workbench(Vertical):
    """The Workbench turns what its panes post into edits of the experiment, which can be undone.

    Args:
        experiment: the experiment that it opens on.
    """

    draft: var[Draft]

    @dataclass
    class Edited(Message):
        """The experiment was edited."""

        before: Experiment
        after: Experiment

    @dataclass
    class Beside(Message):
        """Request to train a preset beside its partner."""

        preset: str

    def __init__(self, experiment: Experiment, id: str | None = None) -> None:
        super().__init__(id=id)
        self.draft = Draft(experiment)

    @property
    def experiment(self) -> Experiment:
        """Return the experiment as it is edited now."""
        return self.draft.experiment

    def compose(self) -> ComposeResult:
        """Yield the model, the training numbers, the figures of the run, and the findings in the rest of the column."""
        yield ModelPane()
        yield TrainingPane(classes="pane")
        yield StatsPane(classes="pane")
        yield FindingsPane(classes="pane")

    def on_mount(self) -> None:
        """Show the experiment."""
        self.show()

    def show(self) -> None:
        """Show the experiment in the panes."""
        self.query_one(ModelPane).experiment = self.experiment
        self.query_one(TrainingPane).experiment = self.experiment

    def adopt(self, experiment: Experiment) -> None:
        """Take over the experiment of a run that was opened; one undo brings the edited experiment back."""
        self.draft = self.draft.change(experiment)
        self.show()

    def take(self, experiment: Experiment | None) -> None:
        """Take over an edited experiment; None is a dialog that was cancelled."""
        if experiment is not None:
            self._change(self.draft.change(experiment))

    def _change(self, draft: Draft) -> None:
        before, self.draft = self.experiment, draft
        if draft.experiment != before:
            self.show()
            self.post_message(self.Edited(before, draft.experiment))

    def put(self, path: str, value: object) -> None:
        """Edit one field; show an error in one line."""
        try:
            self.take(put(self.experiment, path, value))
        except ExperimentError as error:
            self.query_one(ModelPane).stay()
            self.notify(str(error), severity="error", markup=False)

    def step(self, path: str, *, up: bool) -> str:
        """Give one field its next value, or the one before; return its value in words."""
        from gradtui.ui.field_values import next_value

        self.put(path, next_value(info_at(path), value_at(self.experiment, path), up))
        return value_in_words(value_at(self.experiment, path))

    @on(FieldList.Stepped)
    def _stepped(self, event: FieldList.Stepped) -> None:
        event.stop()
        self.step(event.path, up=event.up)

    @on(FieldList.Typing)
    def _typing(self, event: FieldList.Typing) -> None:
        from gradtui.ui.edit.field_dialogs import ValueScreen

        event.stop()
        self.app.push_screen(ValueScreen(self.experiment, event.path, event.keys), self.take)

    @on(ModelPane.Changed)
    def _groups_changed(self, event: ModelPane.Changed) -> None:
        event.stop()
        self.put("net", event.net)

    @on(ModelPane.Edit)
    def _edit_group(self, event: ModelPane.Edit) -> None:
        event.stop()
        self.edit_group(event.index)

    def edit(self, way: str, run: FollowedRun | None) -> None:
        """Edit, copy or save the experiment, as a key of the lab asks.

        Args:
            way: options, presets, cures, open, save, copy, copy-string, undo or redo.
            run: the run on the screen; of a script's run, cures are copied as code.
        """
        match way:
            case "options":
                self.open_settings()
            case "presets":
                self.choose_preset()
            case "cures":
                if not choose_code(self.screen, run) and not self._no_code(run):
                    findings = run.findings if run is not None else None
                    self.choose_cure([cure for finding in findings or () for cure in finding.cures])
            case "open":
                self.open_file()
            case "save":
                self.save()
            case "copy":
                if not copy_first(self.screen, run) and not self._no_code(run):
                    self.copy()
            case "copy-string":
                self.copy_string()
            case "undo":
                self.undo()
            case "redo":
                self.redo()

    def _no_code(self, run: FollowedRun | None) -> bool:
        """Return whether a script's run is shown alone, and say that it has no cure as code."""
        hidden = run is not None and self.screen.has_class("-script")
        if hidden:
            self.notify("No cure of this script can be copied as code.", timeout=2)
        return hidden

    def edit_group(self, index: int) -> None:
        """Open the dialog with every field of a group."""
        self.open_settings((f"net.{index}",), f"Group {index + 1} of the net · net.{index}")

    def open_settings(self, parts: tuple[str, ...] = _ALL_PARTS, title: str = "Experiment") -> None:
        """Open the dialog with every field of some parts; without arguments, of all but the net."""
        from gradtui.ui.edit.field_dialogs import SettingsScreen

        self.app.push_screen(SettingsScreen(self.experiment, parts, title), self.take)

    def choose_preset(self) -> None:
        """Open one of the built-in examples, or train one beside its partner."""
        from gradtui.experiment.presets import load_preset
        from gradtui.ui.screens.presets_screen import ChosenPreset, PresetsScreen

        def take(chosen: ChosenPreset | None) -> None:
            if chosen is not None:
                self.take(load_preset(chosen.name))
                if chosen.beside:
                    self.post_message(self.Beside(chosen.name))

        self.app.push_screen(PresetsScreen(self.experiment.name), take)

    def choose_cure(self, advised: Sequence[CureOffer] = ()) -> None:
        """Choose and apply a cure that changes something; what the findings advise comes first, by the same names."""
        from gradtui.diagnosis.cures import every_offer
        from gradtui.experiment import set_fields
        from gradtui.ui.screens.dialogs import Choice, ChooseScreen

        # Two findings may advise the same cure, and an edit may have done already what one of them advises.
        wanted = {offer.name: offer for offer in advised if self._changes(offer)}
        keys = {offer.key for offer in wanted.values() if offer.key}
        others = [
            one for one in every_offer(self.experiment) if one.name not in wanted and one.key not in keys
        ]
        offered = wanted | {offer.name: offer for offer in others}
        choices = [Choice(name, name, offer.why, marked=name in wanted) for name, offer in offered.items()]

        def take(name: str | None) -> None:
            if name is not None:
                offer = offered[name]
                self.take(set_fields(self.experiment, offer.set))
                changes = ", ".join(f"{path} = {value}" for path, value in offer.set.items())
                self.notify(f"{changes}\nCost: {offer.price}", title=name, markup=False)

        self.app.push_screen(ChooseScreen("Apply a cure to the experiment", choices, title_width=0), take)

    def _changes(self, offer: CureOffer) -> bool:
        """Return whether a cure that was advised for a run changes the edited experiment, and can be applied to it."""
        from gradtui.experiment import ExperimentError, set_fields

        try:
            return bool(offer.set) and set_fields(self.experiment, offer.set) != self.experiment
        except ExperimentError:
            return False

    def open_file(self) -> None:
        """Open an experiment from a TOML file."""
        from gradtui.ui.screens.open_dialog import OpenScreen

        self.app.push_screen(OpenScreen("Open an experiment", load), self.take)

    def save(self) -> None:
        """Ask for a file and write the experiment there as TOML."""
        from gradtui.ui.screens.dialogs import SaveScreen

        self.app.push_screen(SaveScreen(self.experiment))

    def copy(self) -> None:
        """Copy the experiment to the clipboard as TOML; over SSH too, by the terminal."""
        from gradtui.ui.edit.clipboard import copied

        self.app.copy_to_clipboard(copied(self.experiment))
        self.notify(f"{self.experiment.name}, as TOML", title="copied", timeout=2, markup=False)

    def copy_string(self) -> None:
        """Copy the experiment to the clipboard as a short string, which `gradtui STRING` opens."""
        from gradtui.experiment.short_string import to_short_string

        self.app.copy_to_clipboard(to_short_string(self.experiment))
        self.notify("gradtui STRING opens it.", title="copied as a string", timeout=3)

    def paste(self, text: str) -> None:
        """Take over an experiment, or a part of one, from text; show an error in one line."""
        from gradtui.ui.edit.clipboard import pasted

        before = self.experiment
        try:
            self.take(pasted(text, before))
        except ExperimentError as error:
            self.notify(str(error), title="not pasted", severity="error", markup=False)
            return
        if self.experiment == before:
            self.notify("Nothing changed.", title="pasted", timeout=2)
        else:
            self.notify("u undoes it.", title="pasted", timeout=2)

    def undo(self) -> None:
        """Undo the last edit."""
        if not self.draft.past:
            self.notify("Nothing to undo.", timeout=1.5)
        self._change(self.draft.undo())

    def redo(self) -> None:
        """Redo the last undone edit."""
        if not self.draft.future:
            self.notify("Nothing to redo.", timeout=1.5)
        self._change(self.draft.redo())
