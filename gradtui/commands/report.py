"""`gradtui report` writes a run, several runs or a study as one page to share."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, BadInput, Subcommand
from gradtui.commands.inputs import add_runs, chosen_root
from gradtui.plain_text import plain

if TYPE_CHECKING:
    from gradtui.study.spec import StudySpec
    from gradtui.study.state import StudyState


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="+",
        metavar="RUN|STUDY",
        help="one or several runs, each given by its id, a part of it, or its folder (several are "
        "compared); or one study that was started, given by its name or folder",
    )
    parser.add_argument(
        "out",
        metavar="OUT",
        help="the file to write: .html for one self-contained page, .md for Markdown; an existing file is replaced",
    )
    add_runs(parser)


def _execute(args: Namespace) -> int:
    from gradtui.report.share import ShareError, checked_path, share_runs, study_page, write_page
    from gradtui.runs.errors import RunError
    from gradtui.runs.library import find_run

    root = chosen_root(args)
    try:
        path = checked_path(args.out)
        study = _study(args.what[0], root) if len(args.what) == 1 else None
        if study is not None:
            write_page(study_page(study), path)
        else:
            share_runs([find_run(text, root) for text in args.what], path)
    except (ShareError, RunError) as error:
        raise BadInput(str(error)) from None
    print(plain(str(path)))
    return DONE


def _study(text: str, root: Path) -> StudyState | None:
    """Return the state of the study of that name or folder; None where there is none. Raises BadInput."""
    from gradtui.experiment.errors import ExperimentError
    from gradtui.study.plan import plan
    from gradtui.study.state import StudyState
    from gradtui.study.study import Study, StudySetup
    from gradtui.study.study_folder import StudyIndex

    found = _study_folder(text, root)
    if found is None:
        return None
    folder, spec = found

    def prepare() -> StudySetup:
        return StudySetup(spec, plan(spec), StudyIndex(folder))

    try:
        study = Study(StudyState(folder, spec), prepare, root.absolute(), only_follow=True)
        try:
            state = study.poll()
        finally:
            study.close()
    except ExperimentError as error:
        raise BadInput(str(error)) from None
    if state.problem:
        raise BadInput(state.problem)
    return state


def _study_folder(text: str, root: Path) -> tuple[Path, StudySpec] | None:
    from gradtui.experiment.errors import ExperimentError
    from gradtui.ordinary_files import given_path
    from gradtui.runs.bounded_reads import NO_ANSWER, answers
    from gradtui.study.spec import load
    from gradtui.study.study_folder import STUDY_FILE, folder_of, studies_root

    named, studies = given_path(text), studies_root(root)
    if not answers(named):
        raise BadInput(f"{named}: {NO_ANSWER}")
    for folder in (named, folder_of(text, studies) if answers(studies) else studies):
        if not answers(folder / STUDY_FILE):
            # A run of that name can still be reported on.
            print(plain(f"gradtui: {folder}: {NO_ANSWER}"), file=sys.stderr)
            continue
        try:
            if (folder / STUDY_FILE).is_file():
                spec = load(folder / STUDY_FILE)
                # Two study names may lead to the same folder.
                return (folder.absolute(), spec) if folder == named or spec.name == text else None
        except ExperimentError as error:
            raise BadInput(str(error)) from None
        except (OSError, ValueError):
            continue
    return None


COMMAND = Subcommand(
    "report",
    "report RUN|STUDY OUT",
    "writes a run, several runs or a study as one page to share, in HTML or Markdown",
    _configure,
    _execute,
)
