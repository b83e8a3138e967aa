"""Hold the step, the stretch of time and the metric that a screen shows of its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from gradtui.ui.followed_run import FollowedRun
    from gradtui.ui.view import ViewRequest


class TimeCursor:
    """A TimeCursor turns keys and clicks into requests to the thread that reads the run.

    Args:
        screen: the screen that the keys belong to; it notifies, and its key line is refreshed.
        followed: returns the run on the screen, or None before the first.
    """

    def __init__(self, screen: Screen[Any], followed: Callable[[], FollowedRun | None]) -> None:
        self._screen = screen
        self._followed = followed

    @property
    def newest(self) -> int:
        """Return the last recorded step of the run on the screen; 0 where there is none."""
        run = self._followed()
        return run.snapshot.step if run is not None and run.snapshot is not None else 0

    @property
    def in_the_past(self) -> bool:
        """Return whether another step than the newest is shown."""
        run = self._followed()
        return run is not None and run.at is not None

    def show(self, **changes: Any) -> None:
        """Show another metric, number of rows or window of the same run; see ViewRequest for the fields."""
        run = self._followed()
        if run is not None:
            self._request(run, replace(run.request, **changes))

    def go_to(self, step: int | None) -> None:
        """Show the run as it was after a step; None always shows the newest step."""
        run = self._followed()
        if run is not None:
            self._request(run, run.request.at_step(step, self.newest))

    def go_to_first_finding(self) -> None:
        """Show the first step at which anything was found."""
        run = self._followed()
        if run is None:
            return
        if run.first_bad_step is None:
            self._screen.notify("No problem found so far.", timeout=2)
        elif run.first_bad_step >= self.newest:
            self._screen.notify(f"The first bad step is the newest one, {self.newest:,}.", timeout=2)
            self.go_to(None)
        else:
            self.go_to(run.first_bad_step)

    def zoom(self, factor: float) -> None:
        """Show `factor` times as much time around the step that is shown; 0 shows the whole run."""
        run = self._followed()
        if run is not None:
            self._request(
                run,
                run.request.zoomed(factor, self.newest) if factor > 0 else replace(run.request, window=None),
            )

    def show_next_metric(self, *, forward: bool) -> None:
        """Show the next (or previous) metric that the run records of its layers."""
        from gradtui.metrics import next_drawn

        run = self._followed()
        if run is not None:
            metric = next_drawn(run.request.metric, run.metrics, forward).name
            self.show(metric=metric, factors=False, plane=False)

    def show_factors(self, *, keep: bool = False) -> None:
        """Show the factors that backpropagation multiplies, over time where the net is recurrent; or the gradient.

        keep: leave the factors as they are where they are drawn already.
        """
        run = self._followed()
        if run is None:
            return
        metric = next((name for name in ("hidden_grad", "backward_gain") if name in run.metrics), None)
        if run.request.draws_factors and keep:
            return
        if run.request.draws_factors:
            self.show(metric="grad_norm", factors=False, plane=False)
        elif metric is None:
            self._screen.notify("The factors of the layers were not recorded in this run.", timeout=4)
        else:
            self.show(metric=metric, factors=True, plane=False)

    def show_plane(self, *, keep: bool = False) -> None:
        """Show what the net computes over the plane, or the layers again. keep: leave the picture if it is shown."""
        run = self._followed()
        if run is not None and not (keep and run.request.plane):
            self.show(plane=not run.request.plane)

    def _request(self, run: FollowedRun, request: ViewRequest) -> None:
        if request == run.request:
            return
        live_changed = (request.at is None) != (run.request.at is None)
        run.show(request)
        if live_changed:
            # The key that leads back to the newest step appears or disappears.
            self._screen.refresh_bindings()


class TimeActions:
    """TimeActions are the actions of the keys that a screen with a TimeCursor has."""

    cursor: TimeCursor

    def action_live(self) -> None:
        """Show the newest step again."""
        self.cursor.go_to(None)

    def action_first_bad(self) -> None:
        """Show the first step at which anything was found."""
        self.cursor.go_to_first_finding()

    def action_metric(self, forward: bool) -> None:
        """Draw the next (or previous) metric that the run records of its layers."""
        self.cursor.show_next_metric(forward=forward)

    def action_factors(self) -> None:
        """Draw the factors that backpropagation multiplies, or the gradient again."""
        self.cursor.show_factors(keep=self.reveal_charts())

    def draw_factors(self, at: int | None) -> None:
        """Draw the factors at a step, and leave them if they are drawn; None is the newest step."""
        self.cursor.go_to(at)
        self.reveal_charts()
        self.cursor.show_factors(keep=True)

    def action_plane(self) -> None:
        """Show what the net computes over the plane, or the layers again."""
        self.cursor.show_plane(keep=self.reveal_charts())

    def reveal_charts(self) -> bool:
        """Show the charts of the layers where they are hidden, and return whether they were."""
        return False
