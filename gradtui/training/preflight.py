"""One batch forward and back at initialisation, measured like a step, and no step taken."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from gradtui.experiment import Experiment
from gradtui.runs.meta import RunMeta, write_meta
from gradtui.training.checkpoints.fine_tuning import load_layers
from gradtui.training.recorder import Recorder, tables_of
from gradtui.training.run import built, described
from gradtui.training.sampling import StepSampler
from gradtui.training.step import Stepper, take_step
from gradtui.training.stopping import Ending

STEP = 1
"""A row says what its step was taken on, before the weights moved: so these rows are the very ones that step 1 of
the training will have, and whatever shows a run shows them."""


def preflight(folder: Path, exp: Experiment, meta: RunMeta) -> Ending:
    """Measure the experiment's first batch into a folder of its own, whose run.json says `meta` so far. Returns how
    it ended.

    All tables of a run get one row, but `update_ratio`. The weights are those from which the training proper would
    begin, a start from a checkpoint included, layer-wise pretraining not. Raises what building raises.
    """
    session = built(folder, exp)
    pretrain = exp.cures.pretrain
    if pretrain.kind == "checkpoint":
        load_layers(session.net, pretrain.path)
    tables = tables_of(session)
    write_meta(folder, described(replace(meta, steps=STEP), session, tables))
    recorder = Recorder(folder, session, tables)
    try:
        recorder.writer.event("phase", 0, phase="measuring", text="one batch forward and back")
        take_step(
            Stepper(session), StepSampler(session, recorder.writer), recorder.record, sample=True, move=False
        )
    finally:
        recorder.close()
    if recorder.writer.error is not None:
        raise recorder.writer.error
    return "finished", ""
