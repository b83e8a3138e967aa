"""Test the small curves against torch's nonlinearities."""

from __future__ import annotations

import pytest

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.ui.drawing.block import curve


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("slope", [0.0, 0.25, 1.0])
def test_values_of_the_table_are_torchs(kind: str, slope: float) -> None:
    torch = pytest.importorskip("torch")
    from gradtui.nets.activations import make_activation

    points = torch.linspace(-3, 3, 41)
    expected = make_activation(kind, slope)(points).tolist()
    assert [ACTIVATIONS[kind].value(x, slope) for x in points.tolist()] == pytest.approx(expected, abs=1e-6)


def test_flat_parts_of_an_activation_are_flat_in_its_curve() -> None:
    assert curve("relu", 0.0) == "⣀⣀⣀⠔⠊"
    assert curve("sigmoid", 0.0) == "⣀⡠⠔⠊⠉"
    assert curve("identity", 0.0) == curve("leaky_relu", 1.0)
    assert {len(curve(kind, 0.25, cells)) for kind in ACTIVATIONS for cells in (1, 5)} == {1, 5}
