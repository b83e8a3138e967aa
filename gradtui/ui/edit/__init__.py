"""Edit an experiment by keyboard: the list of its fields, the dialogs, and the clipboard."""
