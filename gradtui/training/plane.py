"""Record what a net computes over the plane: at some of the sampled steps it is evaluated on a coarse grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gradtui.probe.sampling_budget import SparseRows
from gradtui.runs.meta import PlaneMeta, TableMeta
from gradtui.runs.plane import OUTPUTS, UNITS
from gradtui.runs.writer import RowSink

if TYPE_CHECKING:
    from gradtui.training.session import Session

MOST_UNITS = 12
"""The most units of a layer that have a picture."""
MOST_NUMBERS = 32_768
"""The most numbers in a row of units' pictures; a deep net has fewer units per layer in it, or none."""

PLANNED_ROWS = 50
"""The number of rows of a run, spread over the planned steps."""


def plane_tables(session: Session) -> dict[str, TableMeta]:
    """Return the tables of planes for run.json; none where the data are not points in the plane."""
    plane = session.dataset.plane
    if plane is None:
        return {}
    outputs = tuple(str(number) for number in range(plane.classes)) or ("output",)
    tables = {OUTPUTS: TableMeta(columns=outputs, kind="planes", width=plane.side**2)}
    layers, each = session.net.layers, plane.unit_side**2
    if units := min(MOST_UNITS, MOST_NUMBERS // (len(layers) * each)):
        names = tuple(layer.name for layer in layers)
        tables[UNITS] = TableMeta(columns=names, kind="planes", width=units * each)
    return tables


class PlaneRecorder:
    """A PlaneRecorder evaluates the net at the places of the plane, and records its outputs and those of its units.

    It runs the net in evaluation mode: nothing random happens, and neither gradients nor running statistics change. So
    the training continues with the same numbers.
    """

    def __init__(self, session: Session, writer: RowSink) -> None:
        self._session = session
        self._writer = writer
        self._sparse = SparseRows(session.exp.run.steps, PLANNED_ROWS)
        self._rows: dict[str, npt.NDArray[np.float32]] = {}
        self._plane = session.dataset.plane
        self._tables = plane_tables(session)
        self._places: Tensor | None = None

    def measure_if_due(self, step: int, *, forced: bool) -> None:
        """Evaluate the net of a step before its weights change, if that is due or `forced`."""
        if self._plane is None:
            return
        if forced or self._sparse.due(step):
            self._rows = self._measure(self._plane)

    def write(self, step: int, moment: float) -> None:
        """Write the row of a step, if one was measured."""
        for table, row in self._rows.items():
            self._writer.append(table, step, row, moment)
            self._sparse.written(step)
        self._rows = {}

    def _measure(self, plane: PlaneMeta) -> dict[str, npt.NDArray[np.float32]]:
        session, net = self._session, self._session.net
        if self._places is None:
            self._places = torch.from_numpy(places_of(plane)).to(session.device)
        rows = {}
        net.eval()
        try:
            with torch.no_grad(), session.autocast():
                about = self._tables.get(UNITS)
                if about is None:
                    outputs = net(self._places)
                else:
                    outputs, units = self._pass(plane, about.width // plane.unit_side**2)
                    rows[UNITS] = units
        finally:
            net.train()
        outputs = outputs.float()
        outputs = outputs.softmax(1) if plane.classes else outputs[:, :1]
        return {OUTPUTS: outputs.T.reshape(-1).cpu().numpy(), **rows}

    def _pass(self, plane: PlaneMeta, most: int) -> tuple[Tensor, npt.NDArray[np.float32]]:
        """Return the outputs, and those of the first `most` units of each layer on the coarser grid."""
        net = self._session.net
        assert self._places is not None
        every = plane.side // plane.unit_side
        # The coarser grid has the middle one of each group of places.
        coarse = torch.arange(every // 2, plane.side, every, device=self._places.device)
        chosen = (coarse[:, None] * plane.side + coarse).reshape(-1)
        # Missing units of a narrow layer stay NaN.
        units = torch.full((len(net.layers), most, plane.unit_side**2), torch.nan)

        def keep(index: int) -> Callable[..., None]:
            def hook(module: torch.nn.Module, args: Any, output: Tensor) -> None:
                answers = output.detach()[:, :most].index_select(0, chosen).float().T.cpu()
                units[index, : len(answers)] = answers

            return hook

        hooks = [
            (layer.activation or layer.module).register_forward_hook(keep(index))
            for index, layer in enumerate(net.layers)
        ]
        try:
            outputs: Tensor = net(self._places)
        finally:
            for hook in hooks:
                hook.remove()
        return outputs, units.reshape(-1).numpy()


def places_of(plane: PlaneMeta) -> npt.NDArray[np.float32]:
    """Return the centres of the places (side², 2), from the highest row of the plane down, each from left to right."""
    (left, below), (right, above) = plane.low, plane.high
    centres = (np.arange(plane.side) + 0.5) / plane.side
    y, x = np.meshgrid(above + (below - above) * centres, left + (right - left) * centres, indexing="ij")
    return np.stack([x.reshape(-1), y.reshape(-1)], axis=1).astype(np.float32)
