"""Test the lab on a watched script: its learning rate can be changed, and no builder is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from gradtui.experiment import resolve
from gradtui.runs.folder import CONTROL_FILE, new_folder, runs_root, settings_path
from gradtui.runs.meta import LayerMeta, Parent, RunMeta, TableMeta, read_meta, write_meta
from gradtui.runs.script_training import KEY
from gradtui.runs.writer import RunWriter
from gradtui.ui.app import GradtuiApp
from gradtui.ui.edit.field_list import FieldList
from gradtui.ui.screens.lab import run_view
from gradtui.ui.screens.lab.code_advice import code_parts, cures_with_code
from gradtui.ui.screens.lab.gradient_pane import GradientPane
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.layer.layer_panes import LayerCurves
from gradtui.ui.screens.layer.layer_screen import LayerScreen
from gradtui.ui.widgets import status_bar
from gradtui.ui.widgets.curve_pane import CurvePane
from gradtui.ui.widgets.curve_plot import CurvePlot
from gradtui.ui.widgets.status_bar import StatusBar
from tests.support.lab import SIZES, lab_of, no_standby, screen_text, until

__all__ = ["no_standby"]


def script_run(
    *, listening: bool, clipped: tuple[float, float] | None = None, tokens: int = 0
) -> tuple[Path, RunWriter]:
    """A live run as `gradtui.watch` writes it; it logs so many `tokens` a step, if any."""
    folder = new_folder(runs_root(), "mine")
    layers = ("h.0.attn", "h.0.mlp", "head")
    tables = {
        "scalars": TableMeta(("lr", "grad_norm", "grad_norm_clipped", "clipped"), "scalars"),
        "grad_norm": TableMeta(layers),
        "logged_loss": TableMeta(("loss",), "scalars"),
        **({"logged_tokens": TableMeta(("tokens",), "scalars")} if tokens else {}),
    }
    meta = RunMeta.of_this_process(
        id=folder.name,
        name="mine",
        kind="script",
        layers=tuple(LayerMeta(name, "linear", 10) for name in layers),
        tables=tables,
    )
    write_meta(folder, meta)
    writer = RunWriter(folder, {name: table.columns for name, table in tables.items()})
    writer.event("phase", 0, phase="training", text="training")
    if listening:
        writer.event("listening", 0)
    for step in range(1, 41):
        moment = meta.started + step / 100
        writer.append("logged_loss", step, (2.5 - step / 50,), moment)
        if tokens:
            writer.append("logged_tokens", step, (tokens * step,), moment)
        if step % 10 == 1:
            writer.append("scalars", step, (0.05, 1.0, *(clipped or (1.0, 0.0))), moment)
            writer.append("grad_norm", step, (0.5, 0.6, 0.7), moment)
    writer.flush()
    return folder, writer


async def test_where_a_script_logs_no_accuracy_the_norm_stands_beside_the_loss(home: Path) -> None:
    folder, _ = script_run(listening=False)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "Gradient norm · log" in screen_text(app))
        assert "Accuracy" not in screen_text(app)


async def test_the_clipping_of_the_script_itself_stands_among_the_controls(home: Path) -> None:
    folder, _ = script_run(listening=True, clipped=(0.25, 1.0))
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        fields = lab.query_one("#training-fields", FieldList)
        await until(pilot, lambda: [row.text for row in fields.rows] == ["0.05", "0.25 (script)"])


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_finding_that_begins_is_told_to_the_terminal(
    home: Path, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (run_view, status_bar):
        monkeypatch.setattr(module, "NEWS_SECONDS", 600.0)
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text(f"alerts = {str(wanted).lower()}\n")
    folder, writer = script_run(listening=False)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "3 layers" in screen_text(app))
        sent: list[str] = []
        assert app._driver is not None
        app._driver.write = sent.append  # type: ignore[method-assign]
        followed = lab.view.run
        assert followed is not None
        # The announcement of a diagnosis, as the thread that follows the run makes it.
        followed._announcements.append(("exploding", "the gradient \x07grows", "warning"))
        for step in (41, 42):
            writer.append("scalars", step, (0.05, 1.0, 1.0, 0.0))
            writer.append("grad_norm", step, (0.5, 0.6, 0.7))
            writer.flush()
        await until(pilot, lambda: not followed._announcements)
        await pilot.pause()
        assert "found: exploding · w why" in screen_text(app).splitlines()[0]
        assert not app._notifications, "it would cover the charts"
        line = f"\x1b]9;{folder.name}: exploding: the gradient grows\x07"
        assert [text for text in sent if text.startswith("\x1b]9")] == ([line] if wanted else [])
        # A state that changes is seen at once, however long news would stand.
        writer.event("paused")
        writer.flush()
        await until(pilot, lambda: "‖ paused" in screen_text(app).splitlines()[0])
        assert app.screen.query_one(StatusBar).notice == ""
    writer.close()


async def test_a_run_that_grows_is_drawn_by_a_number_that_it_logs(home: Path) -> None:
    """In the lab, beside a run with another number a step, and on the page of a layer."""
    partner, other = script_run(listening=False, tokens=1000)
    other.end("finished", "", 40)
    folder, writer = script_run(listening=False, tokens=512)
    meta = read_meta(folder)
    write_meta(folder, replace(meta, parent=Parent(partner.name, 0, "lr=x0.1")))
    app = GradtuiApp(attach=folder)

    def places(plot: CurvePlot, step: int) -> list[float]:
        plot.draw_at_once()
        return [] if plot.frame is None else [float(plot.frame.axis.places(step)), plot.frame.high]

    def grow(first: int, last: int) -> None:
        for step in range(first, last + 1):
            moment = meta.started + step / 100
            writer.append("logged_loss", step, (2.5 - step / 500,), moment)
            writer.append("logged_tokens", step, (512.0 * step,), moment)
            writer.append("scalars", step, (0.05, 1.0, 1.0, 0.0), moment)
            writer.append("grad_norm", step, (0.5, 0.6, 0.7), moment)
        writer.flush()

    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "3 layers" in screen_text(app))
        await until(pilot, lambda: lab.comparison.partner is not None)
        loss = next(pane for pane in lab.query(CurvePane) if pane.what == "loss")
        await until(pilot, lambda: bool(loss.query(CurvePlot)))
        plot = loss.query_one(CurvePlot)
        await until(pilot, lambda: places(plot, 40)[1:] == [40])
        loss.focus()
        await pilot.press("X", "X", "X", "X")
        await until(pilot, lambda: "by tokens" in loss.heading.plain)
        await until(pilot, lambda: places(plot, 40)[1] == pytest.approx(40_000))
        grow(41, 200)
        await until(pilot, lambda: places(plot, 200)[1] == pytest.approx(200 * 512))
        assert places(plot, 200)[0] == 200 * 512
        lab.query_one(GradientPane).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LayerScreen))
        page = app.screen.query_one("#layer-gradient", LayerCurves)
        await until(pilot, lambda: "by tokens" in str(page.border_title))
        drawn = page.query_one(CurvePlot)
        await until(pilot, lambda: places(drawn, 200)[:1] == pytest.approx([200 * 512], rel=0.02))
        grow(201, 300)
        await until(pilot, lambda: places(drawn, 300) == pytest.approx([300 * 512] * 2, rel=0.02))
        await pilot.press("X", "X")
        await until(pilot, lambda: "by" not in str(page.border_title))
        assert places(drawn, 300)[0] == pytest.approx(300, rel=0.02)
    writer.close()


async def test_learning_rate_of_a_script_can_be_changed(home: Path) -> None:
    folder, writer = script_run(listening=True)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "Controls for the script" in screen_text(app))
        assert not lab.query_one(ModelPane).display
        fields = lab.query_one("#training-fields", FieldList)
        assert [(row.label, row.text) for row in fields.rows] == [("lr", "0.05"), ("clip norm", "none seen")]
        # What is logged is a curve like any other, at steps of its own.
        await until(pilot, lambda: "batch 1.7" in screen_text(app))
        assert "step 40" in screen_text(app)
        fields.focus()
        await pilot.press("right")
        await until(pilot, lambda: (folder / CONTROL_FILE).exists())
        command = json.loads((folder / CONTROL_FILE).read_text())
        assert command["wish"] == "set"
        assert command["set"]["optimizer.lr"] > 0.05
    writer.close()


async def test_the_code_of_a_fix_is_shown_and_copied_by_one_key_or_chosen_from_a_list(home: Path) -> None:
    folder, writer = script_run(listening=False)
    meta = read_meta(folder)
    modules = [["head", "Linear"]]
    training = {"models": {"": "net"}, "optimizers": {"": "opt"}, "modules": modules}
    write_meta(folder, replace(meta, data={"optimizer": {"": "SGD"}, KEY: training}))
    for step in range(41, 61):
        writer.append("logged_loss", step, (float("nan"),), meta.started + step / 100)
    writer.event("end", 60, status="finished", reason="")
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: bool(lab.followed and lab.followed.findings))
        findings = lab.followed.findings if lab.followed is not None else ()
        cures = cures_with_code(findings)
        assert len(cures) > 1
        lab.action_tab("findings")
        await until(pilot, lambda: "Y copy code" in screen_text(app))
        # A narrow pane breaks a line of code between its words.
        words = cures[0].code.splitlines()[1].split()
        await until(pilot, lambda: all(word in screen_text(app) for word in words))
        await pilot.press("Y")
        await until(pilot, lambda: app.clipboard == cures[0].code + "\n")
        assert "opt.param_groups" in app.clipboard
        await pilot.press("c")
        await until(pilot, lambda: "Cures as code" in screen_text(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.clipboard == cures[1].code + "\n")


async def test_script_that_reads_no_commands_shows_a_warning(home: Path) -> None:
    folder, writer = script_run(listening=False)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        await lab_of(pilot)
        await until(pilot, lambda: "Controls for the script" in screen_text(app))
        await pilot.press("space")
        await until(pilot, lambda: any("probe.control()" in toast.message for toast in app._notifications))
        assert not (folder / CONTROL_FILE).exists()
    writer.close()


@pytest.mark.parametrize("size", SIZES)
async def test_watched_script_is_shown_at_every_size(home: Path, size: tuple[int, int]) -> None:
    folder, writer = script_run(listening=True)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=size) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "mine" in screen_text(app))
        for tab in ("net", "gradient", "curves", "findings"):
            lab.action_tab(tab)
            await pilot.pause()
        assert not lab.query_one(ModelPane).display
    writer.close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notices of the first line, each of which is shown for a moment only."""
    notices: list[str] = []
    monkeypatch.setattr(StatusBar, "say", lambda self, notice, seconds=0: notices.append(notice))
    return notices


async def test_keys_that_need_an_experiment_say_so_until_one_is_opened_over_the_run_of_a_script(
    said: list[str],
) -> None:
    folder, writer = script_run(listening=True)
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.has_class("-script"))
        for key in "RiBNoZ":
            await pilot.press(key)
            assert said[-1] == f"{key}: this is a script's run: p opens an experiment to train"
        await pilot.press("m")
        assert said[-1] == "m: this run records no other metric"
        for key in "fTA":
            await pilot.press(key)
            assert said[-1] == f"{key}: 4 shows cures as code; gradtui watch --try all tries them"
        await pilot.press("Y")
        assert [str(toast.message) for toast in app._notifications] == [
            "No cure of this script can be copied as code."
        ]
        lab.workbench.take(resolve("relu-20"))
        await until(pilot, lambda: not lab.has_class("-script"))
        lab.workbench.step("optimizer.lr", up=True)
        await until(pilot, lambda: "edited" in screen_text(app))
        assert lab.query_one(ModelPane).display
        assert not (folder / CONTROL_FILE).exists(), "edits of another experiment are not sent to the script"
        writer.event("end", 40, status="finished", reason="")
        writer.close()
        await until(pilot, lambda: "space train" in screen_text(app))


@pytest.mark.parametrize("key", ["less_than_sign", "full_stop", "x"])
async def test_keys_of_a_training_say_that_a_script_has_ended(key: str, said: list[str]) -> None:
    folder, writer = script_run(listening=True)
    writer.event("end", 40, status="finished", reason="")
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: lab.has_class("-script"))
        await pilot.press(key, "space")
        assert said[-1] == "space: this is a script's run: p opens an experiment to train"
        await pilot.press(key)
        assert said[-1].endswith(": this run has ended")


async def test_a_script_that_ended_before_its_first_step_offers_no_key_that_does_nothing(
    said: list[str],
) -> None:
    folder = new_folder(runs_root(), "early")
    write_meta(
        folder, RunMeta.of_this_process(id=folder.name, name="early", kind="script", layers=(), tables={})
    )
    writer = RunWriter(folder, {})
    writer.event("end", 0, status="finished", reason="")
    writer.close()
    app = GradtuiApp(attach=folder)
    async with app.run_test(size=(120, 36)) as pilot:
        lab = await lab_of(pilot)
        await until(pilot, lambda: "Finished before the first step." in screen_text(app))
        for tab, dead in {
            "net": ("less", "type a value", "apply a cure"),
            "gradient": ("layer", "time", "zoom", "open layer", "first bad step"),
            "curves": ("smooth", "another curve", "zoom time"),
        }.items():
            lab.action_tab(tab)
            await pilot.pause()
            offered = {active.binding.description for active in app.screen.active_bindings.values()}
            assert not offered.intersection(dead), tab
            assert {"why", "presets"} <= offered
        assert "the script has ended" in screen_text(app)
        for key in ("m", "P", "b", "slash"):
            await pilot.press(key)
            assert said[-1].endswith(": this run ended before its first step")


def test_code_is_broken_between_its_words() -> None:
    line = "  torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)"
    assert list(code_parts(line, 33)) == [
        "  torch.nn.utils.clip_grad_norm_(",
        "    model.parameters(),",
        "    max_norm=1.0)",
    ]
    assert list(code_parts("  # The gradient is clipped.", 20)) == ["  # The gradient is", "  # clipped."]
    assert list(code_parts(line, 0)) == [line]
