"""Test a followed run without a screen."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gradtui.ui.followed_run import FollowedRun
from tests.ui.conftest import MakeRun


@pytest.mark.parametrize("paints", [True, False])
def test_the_thread_that_follows_a_run_stops_when_it_is_closed(
    paints: bool, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops between two readings, or while it waits to be painted: an app that is left is gone at once."""
    monkeypatch.setattr("gradtui.ui.followed_run.READ_SECONDS_ENDED", 3600.0)
    seen = threading.Semaphore(0)

    class Screen:
        def post_message(self, message: Any) -> None:
            if paints:
                message.followed.painted.set()
            seen.release()

    followed = FollowedRun(cast(Any, Screen()), make_run(steps=3))
    follower = threading.Thread(
        target=followed.follow, args=(SimpleNamespace(is_cancelled=False),), daemon=True
    )
    follower.start()
    assert seen.acquire(timeout=60)
    if paints:
        assert seen.acquire(timeout=60)
    followed.close()
    follower.join(60)
    assert not follower.is_alive()
