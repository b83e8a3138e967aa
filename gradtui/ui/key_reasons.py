"""Say why a key of the lab can do nothing now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from gradtui.ui.followed_run import FollowedRun

NEED_A_RUN = frozenset(
    {
        "send", "restart", "continue",
        "log", "note", "report", "metric", "why", "factors", "plane", "first_bad", "live", "find_layer", "back",
        "fork_with_cure", "try_all_cures", "repair", "end_comparison",
    }
)  # fmt: skip
"""The actions that need a run."""

NEED_A_STEP = frozenset({"metric", "factors", "first_bad", "find_layer"})
"""The actions that need a step of the run."""

NEED_AN_EXPERIMENT = frozenset({"start", "continue", "restart", "preflight", "beside", "draw_net", "edit"})
"""The actions that need an experiment in the builder, which is hidden beside a script's run."""

REASONS = {
    **dict.fromkeys(("live", "back"), "the newest step is shown already, and q leaves the app"),
    **dict.fromkeys(("note", "report"), ""),
    "plane": "needs data whose points lie in a plane, such as spirals or circle",
    "metric": "this run records no other metric",
    "end_comparison": "no other run is compared with this one",
}
"""Why an action that needs more than a run can do nothing; "" where no reason is given."""


def why_not(bindings: Sequence[Binding], run: FollowedRun | None, *, lesson: bool = False) -> str:
    """Return in a few words why the bindings of a key of the lab can do nothing now; "" if there is no reason.

    lesson: whether a lesson is guided.
    """
    names = [binding.action.partition("(")[0] for binding in bindings]
    # The keys that turn the pages of a lesson change the learning rate without one.
    name = next((name for name in names if name != "app.lesson"), "")
    if not name:
        return (
            "this step asks no question: > leads to the next one"
            if lesson
            else "needs a lesson: press t first"
        )
    if name in ("live", "back") and (lesson or run is None):
        return "t leaves the lesson" if lesson else "nothing to go back to: q leaves the app"
    if run is not None and run.script and name in NEED_AN_EXPERIMENT:
        return "this is a script's run: p opens an experiment to train"
    if name not in NEED_A_RUN and name != "rate":
        return "not possible while a run trains" if run is not None and run.live else ""
    if run is None:
        return "needs a run: press space first"
    if name in NEED_A_STEP and not run.has_steps:
        return "this run has no step yet" if run.live else "this run ended before its first step"
    if name in REASONS:
        return REASONS[name]
    if name == "repair" and run.live and not run.script:
        return "not possible while a run trains"
    if name in ("fork_with_cure", "try_all_cures", "repair"):
        if run.script:
            return "4 shows cures as code; gradtui watch --try all tries them"
        return "needs a run with steps: press space first"
    return "this run has ended" if not run.live else ""
