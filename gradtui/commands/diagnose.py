"""`gradtui diagnose` prints the findings of a run, live or finished, and the cures that may help."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from gradtui.commands.command import Subcommand
from gradtui.commands.inputs import (
    add_fail_on,
    add_json,
    add_run,
    add_runs,
    chosen_codes,
    chosen_run,
    exit_code,
)


def _configure(parser: ArgumentParser) -> None:
    add_run(parser)
    add_runs(parser)
    add_json(parser)
    add_fail_on(parser)


def _execute(args: Namespace) -> int:
    from gradtui.diagnosis.ended_runs import note_findings
    from gradtui.diagnosis.monitor import diagnose_run
    from gradtui.report.run_json import run_object

    codes = chosen_codes(args)
    run = chosen_run(args)
    diagnosis = diagnose_run(run)
    if not run.status.live:
        # The list of runs reads this note, and so shows the same findings.
        note_findings(run, diagnosis.findings, diagnosis.judged.enough_steps)
    summary = run_object(run, [*diagnosis.findings, *diagnosis.information], diagnosis.judged)
    if args.json:
        from gradtui.report.output import to_json

        print(to_json(summary))
    else:
        from gradtui.report.run_page import print_run

        print_run(run, summary, diagnosis)
    return exit_code(diagnosis, codes)


COMMAND = Subcommand(
    "diagnose", "diagnose [RUN]", "prints the findings of a run, live or finished", _configure, _execute
)
