"""Offer the cures of a watched script as code to copy: such a run has no experiment that could be changed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from textual.content import Content
from textual.screen import Screen

from gradtui.words import printable

if TYPE_CHECKING:
    from gradtui.diagnosis import Finding
    from gradtui.diagnosis.findings import CureOffer
    from gradtui.ui.followed_run import FollowedRun

HINT = "Y copy code · c more cures"


def cures_with_code(findings: Iterable[Finding] | None) -> list[CureOffer]:
    """Return the cures that can be written down as code, best first, each once."""
    found = (cure for finding in findings or () for cure in finding.cures if cure.code)
    return list({cure.name: cure for cure in found}.values())


def code_text(cure: CureOffer, columns: int = 0) -> Content:
    """Return the code of a cure as lines beneath its name, of at most so many columns; 0 leaves them whole."""
    whole = (f"  {printable(line)}" for line in cure.code.splitlines())
    lines = "\n".join(part for line in whole for part in code_parts(line, columns))
    return Content.styled(lines, "$secondary")


def code_parts(line: str, columns: int) -> Iterator[str]:
    """Yield a line of code in parts of at most so many columns; a name is only broken where it is longer itself."""
    code = line.lstrip()
    begin = line[: len(line) - len(code)] + ("# " if code.startswith("#") else "  ")
    while 0 < columns < len(line):
        head = line[:columns]
        ends = [found.end() for found in re.finditer(r"(?<=\S) |[(,]", head)]
        ends = ends or [found.end() for found in re.finditer(r"(?<=\w)\.", head)]
        at = ends[-1] if ends and ends[-1] > len(begin) else columns
        yield line[:at].rstrip()
        line = begin + line[at:].lstrip()
    yield line


def copy_code(screen: Screen[Any], cure: CureOffer) -> None:
    """Copy the code of a cure to the clipboard; over SSH too, by the terminal."""
    screen.app.copy_to_clipboard(cure.code + "\n")
    screen.notify(printable(cure.name), title="copied, as code", timeout=2, markup=False)


def copy_first(screen: Screen[Any], run: FollowedRun | None) -> bool:
    """Copy the code of a run's first cure, and return whether it has any."""
    cures = cures_with_code(run.findings if run is not None else None)
    if cures:
        copy_code(screen, cures[0])
    return bool(cures)


def choose_code(screen: Screen[Any], run: FollowedRun | None) -> bool:
    """Choose a cure of a run, and copy its code; return False where it has none."""
    cures = cures_with_code(run.findings if run is not None else None)
    if not cures:
        return False
    from gradtui.ui.screens.dialogs import Choice, ChooseScreen

    choices = [
        Choice(str(number), printable(cure.name), "\n".join([cure.why, *cure.code.splitlines()]))
        for number, cure in enumerate(cures)
    ]

    def take(key: str | None) -> None:
        if key is not None:
            copy_code(screen, cures[int(key)])

    screen.app.push_screen(ChooseScreen("Cures as code: enter copies", choices, title_width=0), take)
    return True
