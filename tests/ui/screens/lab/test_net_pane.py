"""Test the picture of the net in a running app: the chosen group, the visible part, and keys that never wait."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest
from textual import on
from textual.app import App, ComposeResult

from gradtui.experiment import Experiment, from_dict, resolve, set_fields
from gradtui.ui.screens.lab.model_pane import ModelPane
from gradtui.ui.screens.lab.net_pane import NetDrawing, NetPane


class Stage(App[None]):
    def __init__(self, experiment: Experiment | None = None, before: Experiment | None = None) -> None:
        super().__init__()
        self.said: list[tuple[str, int]] = []
        self.pane = NetPane()
        self.pane.set_reactive(NetPane.before, before)
        self.pane.set_reactive(NetPane.experiment, experiment)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    @on(NetPane.Chosen)
    def chosen(self, event: NetPane.Chosen) -> None:
        self.said.append(("chosen", event.index))

    @on(NetPane.Edit)
    def edit(self, event: NetPane.Edit) -> None:
        self.said.append(("edit", event.index))

    @property
    def lines(self) -> list[str]:
        """All of the picture, in view or not."""
        return self.pane.query_one(NetDrawing).render().plain.split("\n")

    def painted(self) -> list[str]:
        """Return what is on the screen."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


def six() -> Experiment:
    groups: list[dict[str, Any]] = [{"width": 8 * number, "repeat": 2} for number in range(1, 7)]
    return from_dict({"net": groups})


async def test_the_net_is_drawn_with_its_figures() -> None:
    app = Stage(resolve("sigmoid-20"), resolve("relu-20"))
    async with app.run_test(size=(60, 40)) as pilot:
        await pilot.pause()
        assert any(" 1  dense 64 ×20 " in line for line in app.painted())
        assert "83,850 parameters · 21 layers deep · 1.7 MB to train" in app.lines
        assert "Changed since the last run" in app.lines
        assert any(line.split() == ["net.0.activation", "relu", "→", "sigmoid"] for line in app.lines)


async def test_a_projection_is_counted_as_a_layer_and_not_in_the_depth() -> None:
    class Models(App[None]):
        def compose(self) -> ComposeResult:
            yield ModelPane()

    async with Models().run_test() as pilot:
        pane = pilot.app.query_one(ModelPane)
        for preset, title in (("attention-post", "98 layers, 97 deep"), ("sigmoid-20", "21 layers")):
            pane.experiment = resolve(preset)
            await pilot.pause()
            assert pane.border_title == f"Model · {title}"


async def test_another_experiment_and_another_run_are_drawn_anew() -> None:
    app = Stage()
    async with app.run_test(size=(60, 40)) as pilot:
        assert app.lines == [""]
        app.pane.experiment = resolve("adding-lstm")
        await pilot.pause()
        assert any("lstm 24" in line for line in app.lines)
        assert app.lines[-1] == "Not trained yet"
        app.pane.before = resolve("adding-lstm")
        await pilot.pause()
        assert app.lines[-1] == "Unchanged since the last run"


async def test_keys_choose_a_group_and_have_it_in_view() -> None:
    app = Stage(six())
    async with app.run_test(size=(50, 18)) as pilot:
        await pilot.press("down", "j")
        await pilot.pause()
        assert app.said == [("chosen", 1), ("chosen", 2)]
        await pilot.press("end", "down")
        await pilot.pause()
        assert app.pane.chosen == 5
        assert any(line.startswith(" ┏━ 6  dense 48 ×2") for line in app.painted())
        await pilot.press("enter", "home", "up", "k")
        await pilot.pause()
        assert app.said[3:] == [("edit", 5), ("chosen", 0)]
        assert any(line.startswith(" ┏━ 1  dense 8 ×2") for line in app.painted())


async def test_a_click_chooses_and_a_second_one_edits() -> None:
    app = Stage(six())
    async with app.run_test(size=(50, 40)) as pilot:
        row = next(y for y, line in enumerate(app.painted()) if " 2  dense 16" in line)
        await pilot.click(NetPane, offset=(10, row))
        await pilot.pause()
        assert app.said == [("chosen", 1)]
        assert app.pane.chosen == 1
        row = next(y for y, line in enumerate(app.painted()) if " 2  dense 16" in line)
        await pilot.click(NetPane, offset=(10, row), times=2)
        await pilot.pause()
        assert app.said[-1] == ("edit", 1)
        await pilot.click(NetPane, offset=(10, 0))
        assert app.pane.chosen == 1, "beside every group"


async def test_a_group_that_is_gone_is_not_chosen() -> None:
    app = Stage(six())
    async with app.run_test(size=(50, 40)) as pilot:
        app.pane.chosen = 40
        assert app.pane.chosen == 5
        app.pane.experiment = resolve("sigmoid-20")
        await pilot.pause()
        assert app.pane.chosen == 0
        assert app.said == [], "who chose from without need not be told"


async def test_the_width_decides_where_the_inside_stands() -> None:
    app = Stage(resolve("resnet-20"))
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        assert any("inside 1" in line for line in app.lines)
        await pilot.resize_terminal(60, 50)
        await pilot.pause()
        assert not any("inside 1" in line for line in app.lines)
        assert all(len(line) <= 58 for line in app.lines)


async def test_theory_comes_after_the_picture_and_of_the_newest_experiment_only() -> None:
    app = Stage(resolve("sigmoid-20"))
    async with app.run_test(size=(70, 40)) as pilot:
        await pilot.pause()
        assert "Theory: …" in app.lines
        app.pane.experiment = resolve("relu-20")
        for _ in range(100):
            await pilot.pause(0.02)
            if "Theory: …" not in app.lines:
                break
        assert "Theory: the gradient keeps its size" in app.lines
        app.pane.experiment = set_fields(resolve("relu-20"), {"net.0.repeat": 3})
        assert "Theory: the gradient keeps its size" not in app.lines


async def test_what_cannot_be_read_is_said() -> None:
    app = Stage(from_dict({"data": {"source": "npz", "path": "/nowhere.npz"}, "net": [{}]}))
    async with app.run_test(size=(40, 20)) as pilot:
        await pilot.pause()
        assert "".join(app.lines).startswith("data.path")
        await pilot.press("down", "enter")
        app.pane.experiment = resolve("sigmoid-20")
        await pilot.pause()
        assert any("dense 64" in line for line in app.lines)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_every_theme_has_the_colours(theme: str) -> None:
    app = Stage(resolve("resnet-20"))
    async with app.run_test(size=(120, 40)) as pilot:
        app.theme = theme
        await pilot.pause()
        assert any("┏━ 1  conv 16 " in line for line in app.painted())


async def test_without_colours_the_chosen_group_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = Stage(six())
    async with app.run_test(size=(50, 60)) as pilot:
        await pilot.press("down")
        await pilot.pause()
        assert [line[1] for line in app.painted() if "dense" in line and "×2" in line] == list("╭┏╭╭╭╭")


def test_neither_torch_nor_numpy_before_the_first_frame() -> None:
    code = dedent(
        """
        import asyncio, sys
        from textual.app import App
        from gradtui.experiment import resolve
        from gradtui.ui.screens.lab.net_pane import NetPane

        class Stage(App):
            def compose(self):
                pane = NetPane()
                pane.set_reactive(NetPane.experiment, resolve("sigmoid-20"))
                yield pane

        def there():
            return [name for name in ("torch", "numpy") if name in sys.modules]

        async def main():
            app = Stage()
            async with app.run_test(size=(70, 40)) as pilot:
                strips = app.screen._compositor.render_strips()
                print(any("dense 64" in strip.text for strip in strips), there())
                for _ in range(200):
                    await pilot.pause(0.02)
                    if "numpy" in there():
                        break
                print(there())

        asyncio.run(main())
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["True []", "['numpy']"], done.stderr
