"""Write the line over the gradient charts: a sentence on the run, and the meaning of the charts' signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from gradtui.words import plain_exponents

if TYPE_CHECKING:
    from gradtui.charts.palette import Palette
    from gradtui.headlines import HeadlineText
    from gradtui.ui.shown_diagnosis import ShownDiagnosis
    from gradtui.ui.view_data import ViewData


LEAST_SENTENCE = 14
"""The fewest columns of a sentence that is cut: it keeps the name of what was found."""


class Headline(Widget):
    """The Headline is one line: a sentence on the run, and at its end what the signs over the bars mean."""

    DEFAULT_CSS = """
    Headline { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    sentence: reactive[Content] = reactive(Content(""))
    legend: reactive[tuple[Content, ...]] = reactive(())
    """The legend in versions of different length; the longest that fits is shown."""
    asked: reactive[bool] = reactive(False)
    """Whether the person asked for the legend by pointing at a layer: then the sentence is cut where it has to be."""

    def render(self) -> Content:
        """Return the sentence, and beside it the longest legend that fits."""
        width, sentence = self.content_size.width, self.sentence
        if self.asked and self.legend and (left := width - self.legend[-1].cell_length - 3) >= LEAST_SENTENCE:
            sentence = sentence.truncate(left, ellipsis=True)
        room = width - sentence.cell_length
        for legend in self.legend:
            if room - legend.cell_length >= 3:
                return sentence + Content(" " * (room - legend.cell_length)) + legend
        return sentence


def legend_of(data: ViewData, at: int | None, compared: bool, palette: Palette) -> tuple[Content, ...]:
    """Return the values of the layer pointed at, or the meaning of the signs, in versions of different length."""
    if data.factors is not None:
        return (Content.styled(data.factors.note, "$secondary"),)
    return chart_legend(data, compared, palette) if at is None else layer_readout(data, at, palette)


def layer_readout(data: ViewData, at: int, palette: Palette) -> tuple[Content, ...]:
    """Return a layer's value and the range of its last steps, in versions of different length."""
    from gradtui.charts.bars import overlay_sign
    from gradtui.charts.palette import THEORY

    low, high = float(data.low[at]), float(data.high[at])
    value = Content.assemble(
        (data.names[at], "bold $accent"), plain_exponents(f" {float(data.values[at]):.2e}")
    )
    median = Content.styled(plain_exponents(f"  median {float(data.middle[at]):.1e}"), "$secondary")
    spread = Content.styled(plain_exponents(f"  {low:.0e} … {high:.0e}"), "$secondary")
    if data.theory is not None and data.theory[at] == data.theory[at]:
        value += Content.assemble(
            (f"  {overlay_sign(THEORY, palette)}", f"bold {palette.name_of(THEORY)}"),
            plain_exponents(f" theory {float(data.theory[at]):.2e}"),
        )
    return value + median + spread, value + median, value


def chart_legend(data: ViewData, compared: bool, palette: Palette) -> tuple[Content, ...]:
    """Return the signs over the bars, as they are drawn, with their meaning, in versions of different length."""
    from gradtui.charts.bars import overlay_sign
    from gradtui.charts.palette import HEALTHY, OTHER, THEORY, TYPICAL

    signs = [
        (compared, OTHER, "without the cure"),
        (data.theory is not None, THEORY, "theory"),
        (data.healthy is not None, HEALTHY, "healthy"),
        (len(data.moment.rows) > 1, TYPICAL, f"median of {len(data.moment.rows)} steps"),
    ]
    # The healthy range is a ground and no line: with true colours its sign is stronger than it, else it is dots.
    styles = {HEALTHY: "$success" if palette.depth == "true" else "dim"}
    parts = [
        Content.assemble(
            (overlay_sign(slot, palette), styles.get(slot, f"bold {palette.name_of(slot)}")),
            (f" {text}", "$secondary"),
        )
        for there, slot, text in signs
        if there
    ]
    # The first signs are left out last, since they matter most.
    return tuple(Content("  ").join(parts[:count]) for count in range(len(parts), 0, -1))


OPPOSITE = {"exploding": ("weak", "uneven", "even"), "vanishing": ("strong", "uneven", "even")}
"""The tones of a sentence that seem to contradict a finding, which was made of more than the step that is shown."""


def headline_of(headline: HeadlineText, diagnosis: ShownDiagnosis, step: int) -> Content:
    """Return the sentence with the mark and colour of the diagnosis at the step that is shown.

    The ratio in the sentence does not decide: the profile of a net that has learned may be steep, and that of an
    exploding net may be even. step: the step that is shown.
    """
    judgement = diagnosis.judgement
    mark, colour = judgement.mark
    if judgement.state == "problem":
        named = judgement.codes[0] if judgement.codes else judgement.why
        text = headline.text
        began = next((one.step for one in diagnosis.findings or () if one.code == named), 0)
        if headline.tone in OPPOSITE.get(named, ()) and began:
            # Saturated units hide an explosion, and a net that has learned may have left its vanishing behind.
            place = "now" if step > began else "in this chart"
            named, text = f"{named} since step {began:,}", f"{place} {text}"
        return Content.assemble((f"{mark} {named}", f"bold {colour}"), (f" · {text}", "bold"))
    if judgement.state == "checking":
        return Content.styled(f"{mark} {headline.text}", "bold")
    if headline.tone == "none":
        return Content.styled(headline.text, "$secondary")
    if headline.tone == "even" and not diagnosis.later:
        return Content.styled(f"{mark} {headline.text}", colour)
    return Content.styled(headline.text, "bold")
