"""Changing an experiment by keyboard: steps, lists of fields and the dialogs for one value."""
