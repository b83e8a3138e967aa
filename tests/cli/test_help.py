"""The documentation is readable in the terminal, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.command_line import forked_gradtui

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TITLES = re.findall(r"^## (.+)$", README, re.MULTILINE)


def test_every_section_is_listed_and_shown(tmp_path: Path) -> None:
    listed = forked_gradtui(tmp_path, "help").stdout.splitlines()[1:]
    assert [line.strip() for line in listed] == TITLES
    shown = forked_gradtui(tmp_path, "help", *TITLES[1].upper().split())
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"## {TITLES[1]}\n")
    assert "## " not in re.sub(r"^###.*", "", shown.stdout[3:], flags=re.MULTILINE)


@pytest.mark.parametrize("topic", ["nothing of the kind", "e"])
def test_an_unknown_section_is_one_line(tmp_path: Path, topic: str) -> None:
    told = forked_gradtui(tmp_path, "help", topic)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
