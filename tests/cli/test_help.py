"""The documentation is readable in the terminal, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradtui.cli import main
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


def test_in_a_terminal_a_section_fits_the_width_and_its_code_can_be_copied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    for title in TITLES:
        # Short titles are parts of longer ones, but each is found by its whole name.
        assert main(["help", title]) == 0
        shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
        section = README.partition(f"## {title}\n")[2].partition("\n## ")[0]
        code = "\n".join(re.findall(r"^```\w*\n(.*?)\n```", section, re.MULTILINE | re.DOTALL)).splitlines()
        lines = [line.strip() for line in shown.splitlines()]
        assert all(line.strip() in lines for line in code), title
        prose = [line for line in shown.splitlines() if line.strip() not in [part.strip() for part in code]]
        assert max(map(len, prose)) <= 80, title
        # Nothing is cut: all words of the section are there, without the marks of Markdown and the pictures.
        assert not re.search(r"\]\(|!\[|\*\*|\w…", "\n".join(prose)), title
        for word in re.findall(r"`([\w-]+)`", section):
            assert word in shown, (title, word)
