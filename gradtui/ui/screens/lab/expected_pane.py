"""Describe the experiment before training, and draw the gradient that theory expects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from gradtui.experiment.presets import load_preset, names
from gradtui.experiment.presets.curriculum import pair_of, place_of
from gradtui.words import ratio

if TYPE_CHECKING:
    from gradtui.diagnosis import Prediction
    from gradtui.experiment import Experiment
    from gradtui.ui.widgets.layer_charts import ProfileChart

PURPOSE = "gradtui shows the gradient of each layer while a net trains, and cures it."
CHART_ROWS = 5
"""The rows that are reserved for the chart; the text gets the rest."""
MOST_ROWS = 20
"""The most rows of text where there is no chart."""


class ExpectedPane(Vertical):
    """The ExpectedPane is shown until there are charts of a run; it gets its own chart from theory."""

    DEFAULT_CSS = """
    ExpectedPane {
        padding: 0 1;
        & #expected-text { height: auto; }
        & ProfileChart { height: 1fr; min-height: 3; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="pane")
        self._experiment: Experiment | None = None
        self._prediction: Prediction | None = None
        self._visible = False
        self._written = Content()

    def compose(self) -> ComposeResult:
        """Yield the text; the chart needs numpy, which is imported after the first frame."""
        yield Static(id="expected-text")

    def on_mount(self) -> None:
        """Write the title of the frame."""
        self.border_title = "Expected before training"
        self._write()

    def show(self, experiment: Experiment) -> None:
        """Describe an experiment; its theory comes later. While the pane is hidden, that waits until it is shown."""
        self._experiment = experiment
        if self._visible or (self.display and not self.size):
            self._write()

    def on_show(self) -> None:
        """Describe what was edited while the pane was hidden."""
        self._visible = True
        self._write()

    def on_hide(self) -> None:
        """Write nothing until the pane is shown again."""
        self._visible = False

    async def expect(self, prediction: Prediction) -> None:
        """Draw what theory expects of the gradient of each layer."""
        self._prediction = prediction
        self._write()
        if not prediction.log10_profile:
            await self.query("ProfileChart").remove()
            return
        lags = bool(prediction.log10_lags)
        chart = await self._chart(lags)
        chart.update(prediction.log10_lags if lags else prediction.log10_profile)

    async def _chart(self, lags: bool) -> ProfileChart:
        from gradtui.charts.scale import Scale
        from gradtui.ui.widgets.layer_charts import ProfileChart

        for old in self.query(ProfileChart):
            await old.remove()
        chart = ProfileChart(Scale("log"), of="lag" if lags else "layer", start=0 if lags else 1)
        await self.mount(chart)
        return chart

    def _write(self) -> None:
        if not self.is_mounted:
            return
        width = max(1, self.content_size.width)
        drawn = self._prediction is None or bool(self._prediction.log10_profile)
        room = self.content_size.height - (CHART_ROWS if drawn else 0)
        if self.styles.height is not None and self.styles.height.is_auto:
            # The pane is as high as its text.
            room = MOST_ROWS
        chosen: list[Content] = []
        for text in self._texts():
            # The first texts matter most; those without room are left out, and the order stays the same.
            if sum(len(one.wrap(width)) for one in [*chosen, text]) <= room or len(chosen) < 2:
                chosen.append(text)
        text = Content("\n").join(chosen)
        if text != self._written or text.spans != self._written.spans:
            self._written = text
            self.query_one("#expected-text", Static).update(text)

    def on_resize(self) -> None:
        """Write as much as fits now."""
        self._write()

    def _texts(self) -> list[Content]:
        """Return the texts, the most important first."""
        texts = [Content.styled(PURPOSE, "bold")]
        experiment = self._experiment
        if self._prediction is not None:
            texts.append(_expectation(self._prediction))
        if experiment is None:
            return texts
        pair, place = pair_of(experiment.name), place_of(experiment.name)
        start = Content.assemble(("space", "bold $accent"), " trains this net and shows what happens")
        if pair is not None:
            start += Content.assemble("  ", ("B", "bold $accent"), f" trains {pair[0]} beside {pair[1]}")
        texts.append(start)
        if experiment.name in names() and experiment != load_preset(experiment.name):
            # The description of the preset may no longer be true.
            texts.append(Content.assemble((experiment.name, "bold"), " · edited, no longer the preset"))
            return texts
        if experiment.description:
            texts.append(Content.assemble((experiment.name, "bold"), f" · {experiment.description}"))
        if place is not None:
            texts.append(Content.styled(f"{place[0].title}. {place[0].about}", "$secondary"))
        return texts


def _expectation(prediction: Prediction) -> Content:
    profile = prediction.log10_profile
    if not profile:
        return Content.styled(f"No prediction: {prediction.why}", "$secondary")
    if lags := prediction.log10_lags:
        return Content.assemble(
            f"Theory: {len(lags) - 1} steps back in time the gradient is ",
            (f"{ratio(lags[-1])} times", "bold $warning"),
            " that of the last step.",
        )
    if abs(profile[0]) < math.log10(2):
        return Content(
            f"Theory: the gradient keeps its size from {prediction.layers[-1]} to the first layer."
        )
    return Content.assemble(
        "Theory: the first layer gets ",
        (f"{ratio(profile[0])} times", "bold $warning"),
        f" the gradient of {prediction.layers[-1]}.",
    )
