"""`gradtui help` shows the documentation section by section, and needs no network."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from argparse import ArgumentParser, Namespace

from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.ordinary_files import read_shipped

FILE = "README.md"


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "topic",
        nargs="*",
        metavar="TOPIC",
        help="the name of a section, or words of it; without it the sections are listed",
    )


def _execute(args: Namespace) -> int:
    sections = documentation()
    if not args.topic:
        print("gradtui help TOPIC shows one of these sections:")
        for title in sections:
            print(f"  {title}")
        return DONE
    _print_section(_section(sections, " ".join(args.topic)))
    return DONE


def documentation() -> dict[str, str]:
    """Return the sections of the documentation, as Markdown, by their titles. Raises BadInput where it is missing."""
    # The wheel holds a copy in the package; a checkout has the file beside it.
    for place in (FILE, os.path.join("..", FILE)):
        with contextlib.suppress(OSError):
            content = read_shipped("gradtui", place)
            break
    else:
        raise BadInput(f"{FILE}: not found; this installation has no documentation")
    text = re.sub(r"<!--.*?-->\n?", "", content.decode(), flags=re.DOTALL)
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def _section(sections: dict[str, str], topic: str) -> str:
    """Return the section of that title, or the only one whose title holds the words. Raises BadInput."""
    from gradtui.experiment.errors import nearest

    wanted = topic.casefold()
    found = [title for title in sections if title.casefold() == wanted]
    found = found or [title for title in sections if wanted in title.casefold()]
    if len(found) != 1:
        said = f"{len(found)} sections match" if found else f"no such section{nearest(topic, sections)}"
        raise BadInput(f"{topic}: {said} (gradtui help lists them)")
    return f"## {found[0]}\n\n{sections[found[0]]}"


def _print_section(section: str) -> None:
    """Print a section: in a terminal as a page that fits its width, else as Markdown."""
    from gradtui.report.output import stdout_paper

    paper = stdout_paper()
    if not sys.stdout.isatty() or paper.ascii:
        print(section)
        return
    from gradtui.report.markdown import print_markdown

    print_markdown(section, paper)


COMMAND = Subcommand(
    "help",
    "help [TOPIC]",
    "shows a section of the documentation, offline",
    _configure,
    _execute,
)
