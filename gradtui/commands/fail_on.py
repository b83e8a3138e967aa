"""--fail-on: which findings make a command fail."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Collection
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, FOUND, BadInput

if TYPE_CHECKING:
    from gradtui.diagnosis.monitor import RunDiagnosis


def add_fail_on(parser: ArgumentParser) -> None:
    """Which findings make the command fail."""
    parser.add_argument(
        "--fail-on",
        default=None,
        metavar="CODES",
        help="exit with 3 when one of these is found, as in --fail-on vanishing,exploding",
    )


def chosen_codes(args: Namespace) -> frozenset[str]:
    """The codes of --fail-on. Raises BadInput on one that no finding has."""
    from gradtui.diagnosis.findings import CODES

    if args.fail_on is None:
        return frozenset()
    codes = frozenset(code.strip() for code in args.fail_on.split(",") if code.strip())
    if not codes:
        # An unset variable in a script would make a gate that never fails.
        raise BadInput(f"--fail-on: names no finding; expected {', '.join(CODES)}")
    for code in sorted(codes.difference(CODES)):
        raise BadInput(f"--fail-on: no finding is called {code}; expected {', '.join(CODES)}")
    return codes


def exit_code(diagnosis: RunDiagnosis, codes: Collection[str]) -> int:
    """FOUND where a finding has one of the codes."""
    return FOUND if any(finding.code in codes for finding in diagnosis.findings) else DONE
