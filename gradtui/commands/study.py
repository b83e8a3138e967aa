"""`gradtui study` trains many experiments, and prints one table and chart of them."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, TRAINING_FAILED, BadInput, Subcommand
from gradtui.commands.engine_trainer import add_engine, check_engine, chosen_engine
from gradtui.commands.inputs import add_json, add_runs, check_output, chosen_root
from gradtui.words import several

if TYPE_CHECKING:
    from gradtui.commands.interruptions import Interruptions
    from gradtui.commands.progress import BarProgress
    from gradtui.study.spec import StudySpec
    from gradtui.study.state import StudyState
    from gradtui.study.study import Study

POLL_SECONDS = 0.1
OUTPUTS = ("csv", "parquet", "svg", "text")
TEXT_WIDTH = 100


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "study",
        nargs="?",
        metavar="STUDY",
        help="the name of a built-in study or a TOML file; without it the built-in studies are listed",
    )
    parser.add_argument("--list", action="store_true", help="list the built-in studies")
    add_engine(parser)
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="train all runs again; by default those that have ended are kept",
    )
    add_runs(parser)
    add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a row for each run, as CSV")
    parser.add_argument("--parquet", type=Path, metavar="FILE", help="write the same as Parquet")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the charts as SVG")
    parser.add_argument("--text", type=Path, metavar="FILE", help="write the charts as text without colours")


def _execute(args: Namespace) -> int:
    if args.list or args.study is None:
        return _list(args)
    spec = _checked(args)
    from gradtui.commands.interruptions import Interruptions
    from gradtui.runs.bounded_reads import NO_ANSWER, answers
    from gradtui.study.study import open_study
    from gradtui.study.study_folder import STUDY_FILE, folder_of, studies_root

    engine, root = chosen_engine(args), chosen_root(args)
    studies = studies_root(root)
    folder = folder_of(spec.name, studies) if answers(studies) else studies
    if not answers(folder / STUDY_FILE):
        raise BadInput(f"{folder}: {NO_ANSWER}")
    study = open_study(spec, runs=root, jobs=args.jobs, engine=engine, fresh=args.fresh)
    with Interruptions() as interruptions:
        state = _wait(study, interruptions, quiet=args.quiet)
    if state.problem:
        raise BadInput(state.problem)
    _write(args, state)
    _report(state, as_json=args.json)
    if interruptions.first is not None:
        return 128 + interruptions.first
    return TRAINING_FAILED if state.status == "failed" else DONE


def _list(args: Namespace) -> int:
    from gradtui.study.presets import load_preset, names

    studies = [{"name": name, "description": load_preset(name).description} for name in names()]
    if args.json:
        from gradtui.report.output import to_json

        print(to_json(studies))
    else:
        from gradtui.report.output import print_table

        print_table([(study["name"], study["description"]) for study in studies])
    return DONE


def _checked(args: Namespace) -> StudySpec:
    """Check the arguments, and return the study. Raises BadInput."""
    from gradtui.experiment.errors import ExperimentError
    from gradtui.runs.export.csv_parquet import MissingLibrary, load_pyarrow
    from gradtui.study.plan import plan
    from gradtui.study.presets import resolve

    check_engine(args)
    for name in OUTPUTS:
        path: Path | None = getattr(args, name)
        # It would be too late to report this after hours of training.
        if path is not None:
            check_output(name, path)
    try:
        if args.parquet is not None:
            load_pyarrow()
        spec = resolve(args.study)
        plan(spec)
    except (ExperimentError, MissingLibrary) as error:
        raise BadInput(str(error)) from None
    return spec


def _wait(study: Study, interruptions: Interruptions, *, quiet: bool) -> StudyState:
    """Wait until all runs have ended, and show their progress where stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        return _poll(study, interruptions, lambda state: None, lambda text: None)
    from gradtui.commands.progress import ProgressBar

    with ProgressBar("planning") as bar:
        return _poll(study, interruptions, lambda state: bar.show(study_progress(state)), bar.say)


def _poll(
    study: Study,
    interruptions: Interruptions,
    show: Callable[[StudyState], None],
    say: Callable[[str], None],
) -> StudyState:
    """Poll the study until all runs have ended.

    The first signal stops the runs so that they can be resumed; the second kills them.
    """
    handled = 0
    try:
        while not (state := study.poll()).done:
            if interruptions.count > handled:
                handled += 1
                if handled == 1:
                    say("stopping the trainings after their current step; press Ctrl-C again to kill them")
                    study.stop()
                else:
                    study.kill()
            show(state)
            time.sleep(POLL_SECONDS)
        return state
    finally:
        study.close()


def study_progress(state: StudyState) -> BarProgress:
    """Return the progress of a study: its name and, beside the bar, numbers of runs and the time left."""
    from gradtui.commands.progress import BarProgress
    from gradtui.words import seconds

    live = [row for row in state.rows if row.live]
    failed = sum(row.state in ("failed", "died") for row in state.rows)
    parts = [f"{state.ended}/{several(state.total, 'run')}", f"{len(live)} training"]
    if failed:
        parts.append(f"{failed} failed")
    if state.seconds_left is not None and live:
        parts.append(f"{seconds(state.seconds_left)} left")
    if state.other_owner:
        parts.append(f"started by {state.other_owner}")
    return BarProgress(state.name, state.share, 1.0, "  ".join(parts))


def _write(args: Namespace, state: StudyState) -> None:
    from gradtui.runs.safe_files import write_for_person

    try:
        if args.csv is not None:
            from gradtui.study.results import write_csv

            write_csv(state, args.csv)
        if args.parquet is not None:
            from gradtui.study.results import write_parquet

            write_parquet(state, args.parquet)
        if args.svg is not None:
            from gradtui.report.study_svg import svg_of

            write_for_person(args.svg, svg_of(state.charts).encode())
        if args.text is not None:
            write_for_person(args.text, _as_text(state).encode())
    except OSError as error:
        raise BadInput(f"{error.filename or 'the output'}: {error.strerror}") from None


def _as_text(state: StudyState) -> str:
    from gradtui.plain_text import plain
    from gradtui.report.output import Paper
    from gradtui.report.study_charts import chart_lines

    paper = Paper(TEXT_WIDTH, colour=False, ascii=False)
    return "".join(f"{plain(line.plain).rstrip()}\n" for line in chart_lines(state.charts, paper))


def _report(state: StudyState, *, as_json: bool) -> None:
    if as_json:
        from gradtui.report.output import to_json
        from gradtui.report.study_page import study_object

        print(to_json(study_object(state)))
    else:
        from gradtui.report.study_page import print_study

        print_study(state)


COMMAND = Subcommand(
    "study",
    "study [STUDY]",
    "trains many experiments and compares them in a table and a chart",
    _configure,
    _execute,
)
