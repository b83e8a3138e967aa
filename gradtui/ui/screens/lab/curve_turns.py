"""Paint the curves of a growing run in turn, so that no frame waits for more than one of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual.screen import Screen
from textual.timer import Timer

from gradtui.ui.followed_run import FollowedRun
from gradtui.ui.widgets.curve_pane import CurvePane

if TYPE_CHECKING:
    from gradtui.ui.view import ViewRequest

LATE_SECONDS = 0.15
"""The time after which curves are painted without a new state of the run."""

_View = tuple[FollowedRun, FollowedRun | None, "ViewRequest", bool]


class CurveTurns:
    """A CurveTurns paints the panes of curves with each new state of a run.

    To draw a chart of curves takes as long as all other panes together. So while the same run is shown in the same way,
    a state of it paints only the pane that has waited longest, once its chart may be drawn again. Any other change,
    such as of the step that is shown, paints all of them.

    Args:
        screen: the lab.
    """

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        self._view: _View | None = None
        self._behind: list[CurvePane] = []
        self._timer: Timer | None = None

    @cached_property
    def _panes(self) -> list[CurvePane]:
        """Return the panes of curves, which are there as long as the screen; to look for them takes milliseconds."""
        return list(self._screen.query(CurvePane))

    def clear(self, *says: str) -> None:
        """Show only a few words, until the next run is read."""
        self._view, self._behind = None, []
        for pane in self._panes:
            pane.clear(*says)

    async def paint(self, run: FollowedRun, partner: FollowedRun | None) -> None:
        """Show a new state of a run. partner: the run that it is compared with."""
        view = (run, partner, run.request, run.live)
        if view != self._view:
            self._view, self._behind = view, []
            for pane in self._panes:
                if self._view is not view:
                    # Another run was opened while a chart was mounted, and has cleared the panes.
                    return
                await pane.paint(run, partner)
            return
        for pane in self._panes:
            if not pane.display:
                # It only keeps the state for later.
                await pane.paint(run, partner)
            elif pane not in self._behind:
                self._behind.append(pane)
        await self._paint_next()

    async def _paint_next(self) -> None:
        """Paint the pane that has waited longest of those that may be drawn again, and come back for the others."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._view is None:
            return
        run, partner, *_ = self._view
        ready = next((pane for pane in self._behind if pane.rest <= 0 or not pane.display), None)
        if ready is not None:
            self._behind.remove(ready)
            await ready.paint(run, partner)
        if self._behind:
            rest = max(0.0, min(pane.rest for pane in self._behind))
            self._timer = self._screen.set_timer(rest + LATE_SECONDS, self._paint_next)


NORM_FINDINGS = frozenset({"exploding", "nonfinite", "unstable-loss", "overclipped", "spikes"})
"""The findings whose evidence is the norm of the gradient."""


def shows_norms(run: FollowedRun) -> bool:
    """Return whether the norm of the whole gradient shows more about a run than its accuracy."""
    if any(finding.code in NORM_FINDINGS for finding in run.newest_findings or ()):
        return True
    if run.snapshot is None:
        return False
    curves = run.snapshot.curves
    if "accuracy" not in curves and "grad_norm" in curves:
        # A script may log no accuracy.
        return True
    clipped = curves.get("clipped")
    return clipped is not None and bool((clipped.max > 0).any())
