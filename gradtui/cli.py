"""The command line: finds the command, runs it, and turns every mistake of the person into one line.

Exit codes: 0 done; 1 the training failed; 2 bad input; 3 a finding named in ``--fail-on``; 130 and 143 after
Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import io
import os
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from gradtui import __version__
from gradtui.commands import attach, diagnose, export, import_, lab, predict, presets, run, runs, study
from gradtui.commands.command import BAD_INPUT, BadInput, Command, OneLineParser

COMMANDS: dict[str, Command] = {
    module.COMMAND.name: module.COMMAND
    for module in (run, attach, diagnose, predict, study, runs, export, import_, presets)
}

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code.

    The first word decides: a command's name is that command, anything else an experiment for the lab. (argparse's
    own subcommands cannot have a default one with an argument of its own.)
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _never_fail_to_print()
    try:
        if words and words[0] in COMMANDS:
            command = COMMANDS[words.pop(0)]
            parser = OneLineParser(f"gradtui {command.name}", description=command.summary, allow_abbrev=False)
        else:
            command = lab.COMMAND
            parser = _lab_parser()
        command.configure(parser)
        args = parser.parse_args(words)
        if command is lab.COMMAND and args.experiment is not None:
            _refuse_unknown(args.experiment)
        code = command.execute(args)
        sys.stdout.flush()
    except BadInput as error:
        print(f"gradtui: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `gradtui runs | head`: the reader has seen enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # A mistake of ours, or a file full of nonsense. Whoever looks for it wants to see where.
        if os.environ.get("GRADTUI_DEBUG"):
            raise
        what = " ".join(str(error).split())
        print(f"gradtui: {type(error).__name__}: {what} (GRADTUI_DEBUG=1 shows where)", file=sys.stderr)
        return 1
    return code


def _lab_parser() -> OneLineParser:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  {command.usage:<{width}}  {command.summary}" for command in COMMANDS.values()]
    parser = OneLineParser(
        "gradtui",
        description=lab.COMMAND.summary,
        epilog="\n".join(["commands:", *lines, "", "gradtui COMMAND --help tells more."]),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gradtui {__version__}")
    return parser


def _refuse_unknown(word: str) -> None:
    """Raises BadInput where a lone word is no experiment: it may have been meant as a command."""
    from gradtui.experiment.errors import nearest
    from gradtui.experiment.presets import names

    if word in COMMANDS:
        raise BadInput(f"{word}: a command comes first, its options after it")
    if word in names() or "/" in word or word.endswith(".toml") or Path(word).exists():
        return
    hint = nearest(word, [*COMMANDS, *names()]) or " (gradtui --help and gradtui presets list them)"
    raise BadInput(f"{word}: no such command, preset or file{hint}")


def _never_fail_to_print() -> None:
    # A terminal without Unicode gets question marks; a traceback would be worse.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
