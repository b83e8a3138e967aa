"""Test scripts with other weights in the optimizer, cut gradients or uncleared ones: each finding names the fault."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import gradtui
from gradtui.diagnosis.findings import Finding
from gradtui.diagnosis.monitor import diagnose_run
from gradtui.report.run_json import run_object

Step = Callable[[nn.Module, Tensor, Tensor], Tensor]

X = torch.randn(256, 8, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


def mlp(last: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, last))


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(model(x), y)


def trained(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Step = cross_entropy,
    clear: Callable[[int], bool] = lambda step: True,
    steps: int = 60,
    **options: Any,
) -> tuple[list[Finding], list[Finding], dict[str, Any]]:
    """Train a watched model; return what was found, what was remarked, and the run as JSON."""
    probe = gradtui.watch(model, optimizer, budget=None, **options)
    for step in range(steps):
        if clear(step):
            optimizer.zero_grad()
        pick = torch.randint(0, len(X), (32,))
        loss = loss_of(model, X[pick], Y[pick])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        probe.log(loss=loss)
    probe.close()
    assert probe.run is not None
    run = gradtui.open_run(probe.run)
    diagnosis = diagnose_run(run)
    return list(diagnosis.findings), list(diagnosis.remarks), run_object(run, diagnosis.findings)


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.Adagrad])
def test_an_optimizer_of_a_copy_moves_none_of_the_parameters(home: Path, kind: Any) -> None:
    model = mlp()
    found, _, _ = trained(model, kind(copy.deepcopy(model).parameters(), lr=0.01))
    assert codes(found) == ["not-optimized"]
    assert found[0].layers == ("0", "2", "4")
    assert (
        "moves none of the model's parameters, and it holds 6 tensors outside the model" in found[0].evidence
    )


def test_an_optimizer_of_tensors_that_the_forward_pass_takes_instead_is_information(home: Path) -> None:
    model = mlp()
    copies = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    optimizer = torch.optim.Adam(copies.values(), 0.01)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(40):
        optimizer.zero_grad()
        torch.func.functional_call(model, copies, (torch.randn(8, 8),)).square().mean().backward()
        optimizer.step()
    probe.close()
    assert probe.run is not None
    diagnosis = diagnose_run(gradtui.open_run(probe.run))
    assert not diagnosis.findings
    (told,) = diagnosis.remarks
    assert told.code == "not-optimized"
    assert "trains 6 tensors that are not in the model" in told.evidence


def test_a_head_that_was_replaced_after_the_optimizer_was_made_is_named(home: Path) -> None:
    model = mlp()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    model[4] = nn.Linear(16, 2)
    found, _, _ = trained(model, optimizer)
    assert [(one.code, one.severity, one.layers) for one in found] == [("not-optimized", "warning", ("4",))]


def test_somebody_who_trains_a_head_without_freezing_the_body_is_left_in_peace(home: Path) -> None:
    model = mlp()
    found, remarks, _ = trained(model, torch.optim.Adam(model[4].parameters(), 0.05))
    assert codes(found) == []
    assert [(one.code, one.layers) for one in remarks if one.code == "not-optimized"] == [
        ("not-optimized", ("0", "2"))
    ]


def test_a_body_that_another_optimizer_moves_is_not_accused(home: Path) -> None:
    model = mlp()
    head, body = torch.optim.SGD(model[4].parameters(), 0.1), torch.optim.SGD(model[:4].parameters(), 0.1)

    class Both(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            body.step()
            return super().step(closure)

        def zero_grad(self, set_to_none: bool = True) -> None:
            model.zero_grad(set_to_none)

    del head
    found, remarks, _ = trained(model, Both(model[4].parameters(), 0.1))
    assert "not-optimized" not in codes([*found, *remarks])


def test_frozen_layers_are_none_in_every_number_and_named_once(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gradtui.report.run_page import print_run

    model = mlp()
    model[:3].requires_grad_(False)
    found, _, page = trained(model, torch.optim.Adam(model.parameters(), 0.01))
    assert codes(found) == []
    assert [layer["grad_norm"]["last"] is None for layer in page["layers"]] == [True, True, False]
    run = gradtui.open_run(page["run"])
    print_run(run, page, diagnose_run(run))
    printed = capsys.readouterr().out
    assert printed.count("are frozen") == 1
    assert "2 of 3 layers are frozen, 0 and 2" in printed
    assert "finite" not in printed


def test_nan_in_a_gradient_is_still_no_none(home: Path) -> None:
    model = mlp()
    model[0].requires_grad_(False)
    steps = iter(range(100))

    def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(model, x, y) * (float("nan") if next(steps) > 40 else 1.0)

    found, _, page = trained(model, torch.optim.SGD(model.parameters(), 0.1), loss_of)
    assert "nonfinite" in codes(found)
    assert page["layers"][0]["grad_norm"]["last"] is None
    assert page["layers"][1]["grad_norm"]["last"] != page["layers"][1]["grad_norm"]["last"]


class Branches(nn.Module):
    def __init__(self, cut: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.unused, self.head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 2)
        self.cut = cut

    def forward(self, x: Tensor) -> Any:
        return self.head(self.cut(torch.relu(self.body(x))))


@pytest.mark.parametrize(
    ("cut", "layers"),
    [
        (lambda h: h, ("unused",)),
        (lambda h: h.detach(), ("body", "unused")),
        (lambda h: h.data, ("body", "unused")),
        (lambda h: torch.tensor(h.detach().numpy()), ("body", "unused")),
    ],
)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.Adagrad])
def test_what_was_never_given_a_gradient_is_named_whatever_the_loss_does(
    home: Path, cut: Callable[[Tensor], Tensor], layers: tuple[str, ...], kind: Any
) -> None:
    model = Branches(cut)
    found, _, _ = trained(model, kind(model.parameters(), 0.05))
    assert ("no-gradient", layers) in [(one.code, one.layers) for one in found]
    assert "nonfinite" not in codes(found)


def test_a_loss_that_does_not_depend_on_the_parameters_is_another_sentence_than_a_gradient_of_zero(
    home: Path,
) -> None:
    model = mlp()

    def reborn(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return torch.tensor(cross_entropy(model, x, y).item(), requires_grad=True)

    found, _, _ = trained(model, torch.optim.SGD(model.parameters(), 0.1), reborn)
    assert codes(found) == ["no-gradient"]
    assert found[0].evidence.startswith(
        "The loss does not depend on the parameters: none of the 6 parameters"
    )

    def one_unit(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy(
            torch.softmax(model(x)[:, :1], 1)[:, 0].clamp(0.1, 0.9), y.float()
        )

    model = mlp(1)
    found, _, _ = trained(model, torch.optim.SGD(model.parameters(), 0.1), one_unit)
    assert codes(found) == ["no-gradient"]
    assert "exactly 0 in every layer since the first step" in found[0].evidence


def test_an_output_that_dies_on_the_way_is_found_and_a_hinge_at_zero_is_not(home: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1), nn.ReLU())
    with torch.no_grad():
        model[2].bias.fill_(1.0)

    def below_zero(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return (model(x)[:, 0] + 2 + x[:, 0].abs()).square().mean()

    found, _, _ = trained(model, torch.optim.SGD(model.parameters(), 0.02), below_zero, steps=150)
    assert "no-gradient" in codes(found)
    assert any("on the gradient is exactly 0 in every layer" in one.evidence for one in found)

    def hinge(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        apart = x + x.sign() * (torch.arange(8) == 0)
        return torch.relu(1 - model(apart)[:, 0] * (2 * y - 1)).mean()

    model = mlp(1)
    found, _, _ = trained(model, torch.optim.Adam(model.parameters(), 0.02), hinge, steps=300)
    assert codes(found) == []


@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_gradients_that_are_never_cleared_are_found(home: Path, rate: float) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), rate)
    found, _, _ = trained(model, optimizer, clear=lambda step: False)
    assert found[0].code == "not-cleared"
    assert found[0].step == 2
    assert "never cleared" in found[0].evidence


def test_gradients_are_seen_to_be_kept_where_the_first_parameter_has_none(home: Path) -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(8))
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)  # type: ignore[no-any-return]

    model = Unused()
    found, _, _ = trained(model, torch.optim.AdamW(model.parameters(), 1e-3), clear=lambda step: False)
    assert "not-cleared" in codes(found)


@pytest.mark.parametrize("also_first", [True, False])
@pytest.mark.parametrize("way", ["none", "zero", "clip"])
def test_gradients_that_are_gone_before_the_step_are_distinguished_from_a_loss_of_nothing(
    home: Path, way: str, also_first: bool
) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(60):
        if also_first:
            optimizer.zero_grad()
        cross_entropy(model, X, Y).backward()  # type: ignore[no-untyped-call]
        if way == "clip":
            nn.utils.clip_grad_norm_(model.parameters(), 0.0)
        else:
            optimizer.zero_grad(set_to_none=way == "none")
        optimizer.step()
    probe.close()
    assert probe.run is not None
    diagnosis = diagnose_run(gradtui.open_run(probe.run))
    found = diagnosis.findings
    assert codes([*found, *diagnosis.remarks]) == ["no-gradient"]
    assert "between backward() and the optimizer's step" in found[0].evidence
    assert "optimizer.zero_grad()" in found[0].cures[0].code


def test_gradients_cleared_now_and_then_are_information_and_cleared_ones_nothing(home: Path) -> None:
    model = mlp()
    found, remarks, _ = trained(
        model, torch.optim.SGD(model.parameters(), 0.05), clear=lambda step: step % 4 == 0
    )
    assert "not-cleared" not in codes(found)
    assert "not-cleared" in codes(remarks)
    found, remarks, _ = trained(model, torch.optim.SGD(model.parameters(), 0.05))
    assert "not-cleared" not in codes([*found, *remarks])


@pytest.mark.parametrize("to_none", [True, False])
def test_accumulation_and_clearing_in_place_are_no_missing_clearing(home: Path, to_none: bool) -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    probe = gradtui.watch(model, optimizer, budget=None)
    for _ in range(40):
        for _ in range(3):
            (cross_entropy(model, X[:32], Y[:32]) / 3).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad(set_to_none=to_none)
    probe.close()
    assert probe.run is not None
    diagnosis = diagnose_run(gradtui.open_run(probe.run))
    assert "not-cleared" not in codes([*diagnosis.findings, *diagnosis.remarks])
    facts = diagnosis.evidence.facts
    assert facts is not None
    assert (facts.kept, facts.cleared) == (0, 39)


def test_clipping_before_the_backward_pass_is_named(home: Path) -> None:
    def early(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        return cross_entropy(model, x, y)

    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    findings, remarks, _ = trained(model, optimizer, early)
    assert (findings, codes(remarks)) == ([], ["clip-unused"])
    assert "In 60 steps" in remarks[0].evidence
    assert "between loss.backward()" in remarks[0].cures[0].code
    # A training that breaks has it as its first finding, before what follows from it.
    findings, _, _ = trained(model, torch.optim.SGD(model.parameters(), 1e4), early)
    assert codes(findings)[0] == "clip-unused"
    assert len(findings) > 1


def test_clipping_at_its_place_or_of_gradients_written_by_hand_is_not_named(home: Path) -> None:
    for passes in (True, False):
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = gradtui.watch(model, optimizer, budget=None)
        for _ in range(40):
            optimizer.zero_grad()
            if passes:
                cross_entropy(model, X, Y).backward()  # type: ignore[no-untyped-call]
            else:
                for parameter in model.parameters():
                    parameter.grad = parameter.detach() * 0.1
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
        probe.close()
        assert probe.run is not None
        assert "clip-unused" not in codes(list(diagnose_run(gradtui.open_run(probe.run)).remarks))


def test_half_precision_that_lets_every_gradient_fall_to_zero_is_called_underflow(home: Path) -> None:
    model = mlp(1).half()

    def tiny(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return 1e-9 * (model(x.half())[:, 0].float() - y).square().mean()

    found, _, _ = trained(model, torch.optim.SGD(model.parameters(), 1e4), tiny)
    assert codes(found) == ["underflow"]
