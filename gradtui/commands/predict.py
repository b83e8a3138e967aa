"""`gradtui predict`: what theory says of the gradient over depth, before any step."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from gradtui.commands.command import DONE, Command
from gradtui.commands.inputs import add_experiment, add_json, chosen_experiment

if TYPE_CHECKING:
    from gradtui.diagnosis.theory import Prediction
    from gradtui.experiment.spec import Experiment


def _configure(parser: ArgumentParser) -> None:
    add_experiment(parser)
    add_json(parser)


def _execute(args: Namespace) -> int:
    from gradtui.diagnosis.theory import predict

    experiment = chosen_experiment(args)
    prediction = predict(experiment)
    if args.json:
        from gradtui.report.wire import to_json

        print(to_json(asdict(prediction)))
    else:
        _print(experiment, prediction)
    return DONE


def _print(experiment: Experiment, prediction: Prediction) -> None:
    import numpy as np

    from gradtui.report.bars import axis_line, bar_chart, scale_of
    from gradtui.report.page import BARS_HEIGHT, page_width
    from gradtui.report.words import compare_gradients

    print(experiment.name)
    if not prediction.applies:
        print(f"No prediction: {prediction.why}")
        return
    profile = np.array(prediction.log10_profile)
    norms, width, count = 10.0**profile, page_width(), len(profile)
    print(f"Expected: {compare_gradients(norms[0], norms[-1])}")
    print(
        "  RMS gradient with respect to each hidden layer's pre-activation, relative to the last hidden layer"
    )
    print("\n".join(bar_chart(norms, width=width, height=BARS_HEIGHT, scale=scale_of(norms))))
    print(axis_line("first", "last hidden layer", layers=count, width=width))
    print(
        f"chi of the last hidden layer {prediction.chi[-1]:.4g} (1 is where signals neither die nor explode)"
    )
    print(f"depth scale {prediction.depth_scale:.4g} layers")


COMMAND = Command(
    "predict", "predict [EXPERIMENT]", "what theory says of the gradient over depth", _configure, _execute
)
