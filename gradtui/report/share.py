"""Write a run, several runs or a study as one page to share: HTML or Markdown, by the ending of the file's name."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from gradtui import __version__
from gradtui.ordinary_files import NOT_ORDINARY, given_path, problem_of
from gradtui.report.page import Block, Heading, Page
from gradtui.runs.errors import RunError
from gradtui.runs.reader import Run
from gradtui.runs.safe_files import NOT_THROUGH_LINKS, replacing
from gradtui.study.state import StudyState

ENDINGS = (".html", ".htm", ".md", ".markdown")
MOST_RUNS = 8
"""The most runs on one page."""


class ShareError(ValueError):
    """A ShareError says in one line why a page cannot be written."""


def checked_path(text: str | os.PathLike[str]) -> Path:
    """Return the path that a person typed. Raises ShareError where a page cannot be written there."""
    path = given_path(text)
    if path.suffix.lower() not in ENDINGS:
        raise ShareError(f"{path}: the name of a page has to end in .html or .md")
    try:
        if not path.absolute().parent.is_dir():
            raise ShareError(f"{path}: its folder does not exist")
        _refuse_others(path)
    except (OSError, ValueError) as error:
        if isinstance(error, ShareError):
            raise
        raise ShareError(f"{path}: {problem_of(error)}") from None
    return path


def _refuse_others(path: Path) -> None:
    """Raise OSError where the path exists and is not an ordinary file."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, NOT_THROUGH_LINKS, str(path))
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, NOT_ORDINARY, str(path))


def run_page(runs: Sequence[Run]) -> Page:
    """Return the page of one or several runs; several are compared first. Raises RunError."""
    from gradtui.report.compared_blocks import compared_blocks
    from gradtui.report.run_blocks import SharedRun, run_blocks

    shared = [SharedRun.read(run) for run in runs]
    if len(shared) == 1:
        return _page(shared[0].name, list(run_blocks(shared[0])))
    blocks: list[Block] = list(compared_blocks(shared))
    for number, one in enumerate(shared, 1):
        blocks.append(Heading(f"{number}  {one.name}"))
        blocks += [_lower(block) for block in run_blocks(one)]
    return _page(" and ".join(dict.fromkeys(one.name for one in shared)), blocks)


def _lower(block: Block) -> Block:
    return Heading(block.text, block.level + 1) if isinstance(block, Heading) else block


def study_page(state: StudyState) -> Page:
    """Return the page of a study."""
    from gradtui.report.study_blocks import study_blocks

    return _page(state.name, list(study_blocks(state)))


def _page(title: str, blocks: Sequence[Block]) -> Page:
    when = time.strftime("%Y-%m-%d %H:%M")
    return Page(title, blocks, f"Made by gradtui {__version__}, {when}.")


def write_page(page: Page, path: Path) -> None:
    """Write a page to a new file or over an ordinary one. Raises ShareError."""
    from gradtui.report.html_page import html_of
    from gradtui.report.markdown_page import markdown_of

    text = html_of(page) if path.suffix.lower().startswith(".htm") else markdown_of(page)
    try:
        _refuse_others(path)
        # The finished draft replaces the path by renaming, which follows no link.
        with replacing(path, exported=True) as file:
            file.write(text.encode())
    except (OSError, ValueError) as error:
        raise ShareError(f"{path}: {problem_of(error)}") from None


def share_runs(runs: Sequence[Path], path: Path) -> None:
    """Read runs by their folders and write their page. Raises ShareError and RunError."""
    from gradtui.runs.reader import open_run

    if len(runs) > MOST_RUNS:
        raise ShareError(f"{len(runs)} runs are too many; a page can show {MOST_RUNS}")
    try:
        page = run_page([open_run(run) for run in runs])
    except OSError as error:
        raise RunError(f"{error.filename or runs[0]}: {problem_of(error)}") from None
    write_page(page, path)
