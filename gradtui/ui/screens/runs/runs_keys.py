"""The keys of the list of runs, and what its page of help says."""

from __future__ import annotations

from textual.binding import Binding, BindingType

HINT = "findings:vanishing  depth>20  accuracy<50%  status:finished  tag:paper  name:sig*  optimizer.lr>0.1  -tag:old"

HELP = (
    "## Runs\n\n**gradient** is the gradient of each layer at the last step, from input to output: the highest block "
    "is the largest, the lowest eight decades below it. `× ∞ 0` are no number, infinite, exactly zero.\n\n"
    "A **filter** is words between blanks, all of which must fit: `sigmoid` is a part of a name, folder or tag; "
    "`findings:vanishing`, `status:finished,stopped`, `tag:paper`, `name:sig*`; `depth>20`, `accuracy<50%`, "
    "`train`, `test`, `loss`, `seconds`, `step`, `age<2h`; any field of the experiment, `optimizer.lr>=0.1`; and "
    "`-` before a word turns it round. `findings:none` are healthy.\n\n"
    "What is **deleted** lies in the trash for a week, and `u` brings it back. Names and tags are written beside "
    "the run; what its trainer writes stays as it is."
)

KEYS: list[BindingType] = [
    Binding("enter", "open", "open", key_display="⏎", tooltip="See this run.", id="runs.open"),
    Binding(
        "space", "mark", "mark", key_display="space", tooltip="For what is done to several.", id="runs.mark"
    ),
    Binding("slash", "filter", "filter", key_display="/", tooltip="Only some of them.", id="runs.filter"),
    Binding("c", "compare", "compare", tooltip="The marked ones over each other.", id="runs.compare"),
    Binding("t", "tag", "tag", tooltip="Give the marked ones (or this one) tags.", id="runs.tag"),
    Binding("n", "rename", "name", tooltip="Call this run something else.", id="runs.name"),
    Binding("d,delete", "delete", "delete", tooltip="The marked ones, or this one.", id="runs.delete"),
    Binding(
        "u",
        "undelete",
        "undelete",
        show=False,
        tooltip="Bring back what was deleted last.",
        id="runs.undelete",
    ),
    Binding("x", "stop", "stop", tooltip="End the training of the marked ones, or this one.", id="runs.stop"),
    Binding(
        "greater_than_sign,right",
        "sort(1)",
        "sort",
        key_display="←→",
        tooltip="By the next column.",
        id="runs.sort",
    ),
    Binding("less_than_sign,left", "sort(-1)", "sort by the column before", show=False, id="runs.sort-back"),
    Binding("o", "reverse", "order", show=False, tooltip="The other way round.", id="runs.order"),
    Binding("a", "mark_all", "mark all", show=False, tooltip="All that are shown, or none.", id="runs.all"),
    Binding("y", "copy", "copy path", show=False, tooltip="The folder to the clipboard.", id="runs.copy"),
    Binding("up,k", "move(-1)", "run before", show=False, id="runs.up"),
    Binding("down,j", "move(1)", "next run", show=False, id="runs.down"),
    Binding("pageup", "page(-1)", "page up", show=False, id="runs.page-up"),
    Binding("pagedown", "page(1)", "page down", show=False, id="runs.page-down"),
    Binding("home,g", "move(-1000000)", "first run", show=False, id="runs.first"),
    Binding("end,G", "move(1000000)", "last run", show=False, id="runs.last"),
    Binding("escape,r", "back", "back", key_display="esc", tooltip="All runs; then back.", id="runs.back"),
]
