"""Test how a report describes the steps that broke a run."""

from __future__ import annotations

import math
from typing import Any

from gradtui.report.divergences import EXAMPLES_SHOWN
from gradtui.report.run_page import divergence_lines


def broke(step: int, **fields: Any) -> dict[str, Any]:
    return {
        "event": "broke", "step": step, "reason": "nonfinite", "measure": "loss", "usual": 2.0, "loss": math.nan,
        "before": 18.5, "grad_norm": math.nan, "layer": "dense5", "part": "output", "batch": [7, 3], **fields,
    }  # fmt: skip


def told(*events: dict[str, Any]) -> list[str]:
    return [line.plain for line in divergence_lines(events)]


def test_a_divergence_to_nan_names_its_layer_and_examples() -> None:
    assert told(broke(4)) == [
        "NaN       step 4: the loss became NaN (18.5 at the step before); first seen in the output of dense5",
        "          on examples 7, 3 of the training set",
    ]
    (first, _) = told(broke(4, part="gradient", measure="grad_norm", grad_norm=math.inf, loss=1.0))
    assert "the gradient norm became infinite; first seen in the gradient of dense5" in first


def test_a_blow_up_names_the_usual_value() -> None:
    first, second = told(broke(2000, reason="blow-up", loss=1e9, batch=list(range(40))))
    assert (
        "jump      step 2,000: the loss jumped to 1e9 (median before: 2); the largest gradient is in dense5"
        in first
    )
    assert second.endswith("6, 7 … (40 in all) of the training set")
    assert second.count(",") == EXAMPLES_SHOWN - 1


def test_divergences_undone_by_a_rollback_are_left_out() -> None:
    assert told(broke(40), {"event": "rewound", "step": 30}) == []
    assert len(told(broke(20), broke(40), {"event": "rewound", "step": 30})) == 2
