"""`gradtui predict` prints how theory expects the gradient to change over depth, before any step."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gradtui.commands.command import DONE, Subcommand
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
        from gradtui.report.output import to_json

        print(to_json(prediction_object(prediction)))
    else:
        _print(experiment, prediction)
    return DONE


def prediction_object(prediction: Prediction) -> dict[str, Any]:
    """Return the part of a prediction that `--json` prints."""
    fields = prediction.to_json()
    return {key: fields[key] for key in ("applies", "why", "chi", "depth_scale", "log10_profile")}


def _print(experiment: Experiment, prediction: Prediction) -> None:
    import numpy as np
    from rich.text import Text

    from gradtui.report.output import print_sections, prose, stdout_paper
    from gradtui.report.run_charts import profile_chart
    from gradtui.words import compare_decades

    paper, title = stdout_paper(), Text(experiment.name, "bold")
    if not prediction.applies:
        print_sections(paper, [title, *prose(f"No prediction: {prediction.why}.", paper)])
        return
    if prediction.log10_lags:
        decades = np.array(prediction.log10_lags)
        back = f"{len(decades) - 1} steps back in time"
        said = compare_decades(decades[-1] - decades[0]).replace("at the output", "at the last step")
        said = said.replace("at the input", back)
        of, of_what = "lag", "each hidden state, relative to the last one, by steps back in time"
    else:
        decades = np.array(prediction.log10_profile)
        said = compare_decades(decades[0] - decades[-1])
        of, of_what = "layer", "each hidden pre-activation, relative to the last one"
    print_sections(
        paper,
        [title, *prose(f"Expected: the gradient is {said}.", paper)],
        [
            *prose(f"RMS gradient with respect to {of_what}", paper, "bold"),
            *profile_chart(decades, paper, of=of),
        ]
        if len(decades) > 1
        else [],
        [line for text in _figures(prediction) for line in prose(text, paper)],
    )


def _figures(prediction: Prediction) -> Iterator[str]:
    lags, chi, scale = prediction.log10_lags, prediction.chi[-1], prediction.depth_scale
    one, many = ("step back in time", "steps") if lags else ("layer", "layers")
    yield f"Each {one} multiplies the squared gradient by chi = {chi:.4g} (1 keeps its size)."
    if math.isfinite(scale):
        how = "falls to 1/e" if chi < 1 else "grows by e"
        yield f"The squared gradient {how} every {scale:.4g} {many}."


COMMAND = Subcommand(
    "predict", "predict [EXPERIMENT]", "predicts the gradient over depth from theory", _configure, _execute
)
