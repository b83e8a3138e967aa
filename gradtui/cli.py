"""Find the command that a command line names, run it, and report every mistake in the arguments in one line.

Exit codes: 0 done; 1 the training failed; 2 bad input; 3 a finding named in ``--fail-on``; 130 and 143 after
Ctrl-C and SIGTERM. `gradtui watch` returns the exit code of the command that it runs.
"""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import textwrap
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence

from gradtui import __version__
from gradtui.commands import (
    attach,
    completion,
    diagnose,
    export,
    fix,
    help_,
    import_,
    lab,
    learn,
    predict,
    presets,
    report,
    run,
    runs,
    study,
    watch,
)
from gradtui.commands.command import BAD_INPUT, DONE, BadInput, OneLineParser, Subcommand
from gradtui.plain_text import plain

_MODULES = (
    run,
    watch,
    attach,
    diagnose,
    fix,
    predict,
    study,
    learn,
    runs,
    report,
    export,
    import_,
    presets,
    help_,
)
COMMANDS: dict[str, Subcommand] = {module.COMMAND.name: module.COMMAND for module in _MODULES}

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, and return its exit code.

    The first word decides: the name of a command runs that command, anything else is an experiment for the lab.
    (A subcommand of argparse cannot be the default and take an argument.)
    """
    words = list(sys.argv[1:] if argv is None else argv)
    closed = _open_closed_streams()
    _replace_unprintable()
    try:
        if closed:
            raise BadInput("stdout is closed; > /dev/null discards what is printed")
        if words and words[0] in COMMANDS:
            command = COMMANDS[words.pop(0)]
            parser = OneLineParser(f"gradtui {command.name}", description=command.summary, allow_abbrev=False)
        else:
            command = lab.COMMAND
            parser = _lab_parser()
        command.configure(parser)
        args = parser.parse_args(words)
        if command is lab.COMMAND and args.completion is not None:
            print(completion.completion(args.completion, COMMANDS, lab.COMMAND), end="")
            return DONE
        if command is lab.COMMAND and args.experiment is not None:
            _refuse_unknown(args.experiment)
        code = command.execute(args)
        sys.stdout.flush()
    except BadInput as error:
        print(plain(f"gradtui: {error}"), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe, as in `gradtui runs | head`. Python would fail again when it flushes at exit.
        _discard_stdout()
        return 0
    except OSError as error:
        # The disk is full, or a folder was removed meanwhile. This is not a bug, and the message says what happened.
        if os.environ.get("GRADTUI_DEBUG"):
            raise
        _discard_stdout()
        print(plain(f"gradtui: {error.filename or 'stdout'}: {error.strerror or error}"), file=sys.stderr)
        return BAD_INPUT
    except Exception as error:
        if _is_of_a_run(error):
            print(plain(f"gradtui: {error}"), file=sys.stderr)
            return BAD_INPUT
        # This is a bug of gradtui, or an unreadable file. GRADTUI_DEBUG shows the traceback.
        if os.environ.get("GRADTUI_DEBUG"):
            raise
        what = plain(" ".join(str(error).split()))
        print(f"gradtui: {type(error).__name__}: {what} (GRADTUI_DEBUG=1 shows where)", file=sys.stderr)
        return 1
    return code


def _is_of_a_run(error: Exception) -> bool:
    """Return whether a run's folder was damaged or removed while a command worked on it."""
    if os.environ.get("GRADTUI_DEBUG"):
        return False
    from gradtui.runs.errors import RunError

    return isinstance(error, RunError)


def _open_closed_streams() -> bool:
    """Put /dev/null instead of standard streams that are closed, and return whether stdout was.

    Otherwise the next file that is opened would take the number of the stream, and printed text would go into it.
    """
    closed = []
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            closed.append(number)
            # os.open takes the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if number in closed or getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    return 1 in closed


def _discard_stdout() -> None:
    """Send further output to /dev/null, because Python would fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lab_parser() -> OneLineParser:
    width = max(len(command.usage) for command in COMMANDS.values())
    columns = max(width + 30, shutil.get_terminal_size().columns - 2)
    lines = [
        textwrap.fill(
            command.summary,
            columns,
            initial_indent=f"  {command.usage:<{width}}  ",
            subsequent_indent=" " * (width + 4),
        )
        for command in COMMANDS.values()
    ]
    parser = OneLineParser(
        "gradtui",
        description=lab.COMMAND.summary,
        epilog="\n".join(["commands:", *lines, "", "gradtui COMMAND --help explains each of them."]),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gradtui {__version__}")
    parser.add_argument("--completion", choices=completion.SHELLS, help="print the completion for a shell")
    return parser


def _refuse_unknown(word: str) -> None:
    """Raise BadInput where a word names no experiment, with a hint at the command that may have been meant."""
    from gradtui.experiment.errors import nearest
    from gradtui.experiment.presets import names
    from gradtui.experiment.short_string import is_short_string

    if word in COMMANDS:
        raise BadInput(f"{word}: options come after the command")
    if word in names() or "/" in word or word.endswith(".toml") or os.path.exists(word):
        return
    if is_short_string(word):
        return
    hint = nearest(word, [*COMMANDS, *names()]) or " (gradtui --help and gradtui presets list them)"
    raise BadInput(f"{word}: no such command, preset or file{hint}")


def _replace_unprintable() -> None:
    """Print what a terminal or an encoding lacks as it is shown there by the app, neither as ? nor with a traceback."""
    codecs.register_error("gradtui-ascii", _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python prints UTF-8 under the locale C, also on a terminal that shows ASCII only.
            plain = stream.isatty() and _ascii_terminal()
            stream.reconfigure(encoding="ascii" if plain else None, errors="gradtui-ascii")


def _ascii_terminal() -> bool:
    from gradtui.ascii_text import ascii_wanted

    return ascii_wanted("auto", os.environ)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    from gradtui.ascii_text import in_ascii

    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end
