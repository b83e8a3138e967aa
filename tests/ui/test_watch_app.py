"""Test the app over a command: it shows what the command prints, and opens the run that the command begins."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gradtui.commands.child import Child
from gradtui.commands.watch import WatchedCommand
from gradtui.ui.watch_app import OutputScreen, WatchApp, last_lines
from tests.support.lab import no_standby, screen_text, until
from tests.ui.conftest import MakeRun

__all__ = ["no_standby"]


async def test_the_first_run_is_opened_and_the_log_key_shows_the_output(
    tmp_path: Path, make_run: MakeRun
) -> None:
    output, notes, go = tmp_path / "output", tmp_path / "notes", tmp_path / "go"
    notes.touch()
    words = ["sh", "-c", f"echo begins; while [ ! -e {go} ]; do sleep 0.05; done; echo ends; exit 3"]
    with open(output, "wb") as file, Child(words, os.environ, output=file) as child:
        app = WatchApp(WatchedCommand(words, child, output, notes))
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, OutputScreen) and "begins" in screen_text(app))
            assert "output of sh -c" in screen_text(app)
            run = make_run()
            notes.write_text(json.dumps({"run": str(run)}) + "\n")
            await until(pilot, lambda: app.screen is app.lab)
            lab = app.lab
            assert lab is not None
            await until(pilot, lambda: lab.followed is not None and lab.followed.outcome is not None)
            assert lab.followed is not None
            assert lab.followed.folder == run
            await pilot.press("L")
            await until(pilot, lambda: isinstance(app.screen, OutputScreen))
            go.touch()
            await until(pilot, lambda: "ends" in screen_text(app))
            await until(pilot, lambda: "it ended with exit code 3" in screen_text(app))
            await pilot.press("escape")
            assert app.screen is lab
        assert child.wait() == 3


def test_lines_are_shown_as_a_terminal_shows_them_in_the_end(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.write_bytes(
        b"a\tb\r\n\x1b]0;title\x07\x1b[1;32mgreen\x1b[0m\n 10%\r100%\r\nlast\xff\x9b\xe2\x80\xae"
    )
    lines = last_lines(file)
    assert lines[:3] == ["a       b", "green", "100%"]
    assert lines[3].startswith("last")
    assert "".join(lines).isprintable()
    file.write_bytes(b"x\n" * 100_000)
    assert len(last_lines(file)) == 500
    assert last_lines(tmp_path / "none") == []
