"""`gradtui run --preflight`: measures a net before any step, and leaves no run behind."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, TRAINING_FAILED, BadInput
from gradtui.commands.inputs import chosen_experiment

if TYPE_CHECKING:
    from gradtui.commands.tied import Interruptions
    from gradtui.experiment.spec import Experiment

TRAINS = ("resume", "fork", "fail_on", "steps", "runs", "nproc")
"""What makes sense only where something is trained and kept."""


def measure(args: Namespace) -> int:
    """Measure and print; returns the exit code. Raises BadInput."""
    from gradtui.commands.tied import Interruptions

    for name in TRAINS:
        if getattr(args, name) is not None:
            option = {"fork": "from"}.get(name, name).replace("_", "-")
            raise BadInput(f"--{option}: --preflight trains nothing and keeps no run")
    experiment = chosen_experiment(args)
    with tempfile.TemporaryDirectory(prefix="gradtui-") as root, Interruptions() as interruptions:
        code = _measured(experiment, Path(root), interruptions, as_json=args.json)
    return code if interruptions.first is None else 128 + interruptions.first


def _measured(experiment: Experiment, root: Path, interruptions: Interruptions, *, as_json: bool) -> int:
    from gradtui.commands.predict import KEYS
    from gradtui.commands.run import reason
    from gradtui.commands.tied import wait_for
    from gradtui.diagnosis.theory import predict
    from gradtui.report.output import to_json
    from gradtui.report.preflight_page import preflight_object, print_preflight
    from gradtui.runs.reader import open_run
    from gradtui.training.launch import create_run, start_trainer

    try:
        trainer = start_trainer(create_run(experiment, root, preflight=True))
    except OSError as error:
        raise BadInput(f"{error.filename or 'the preflight'}: {error.strerror}") from None
    wait_for(trainer, interruptions, show=lambda: None, say=lambda _: None)
    run = open_run(trainer.folder)
    if run.status.state != "finished":
        print(f"gradtui: the preflight failed: {reason(run, trainer)}", file=sys.stderr)
        return TRAINING_FAILED
    prediction = predict(experiment)
    if as_json:
        told = prediction.to_json()
        print(to_json(preflight_object(run, {key: told[key] for key in KEYS})))
    else:
        print_preflight(run, prediction)
    return DONE
