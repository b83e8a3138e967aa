"""Test the picture of any net: it is complete, nothing is too wide, and a few pictures are compared as a whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradtui.experiment import Experiment, from_dict, net_shape, resolve
from gradtui.experiment.presets import names
from gradtui.ui.drawing.net import SIDE_BY_SIDE_COLUMNS, draw
from gradtui.ui.drawing.outline import Outline
from tests.support.experiments import experiments


def drawn(exp: Experiment, chosen: int, width: int) -> list[str]:
    return [line.plain for line in draw(Outline(exp), chosen, width).lines]


def counts(lines: list[str]) -> int:
    """Return the parameters in the lower borders of all boxes."""
    found = re.findall(r"[─━┬┳] ([\d,]+) parameters [─━]", "\n".join(lines))
    return sum(int(number.replace(",", "")) for number in found)


@given(experiments(), st.integers(-1, 5), st.integers(1, 160))
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_net_can_be_drawn_at_any_width(exp: Experiment, chosen: int, width: int) -> None:
    picture = draw(Outline(exp), chosen, width)
    assert all(line.cell_length <= width for line in picture.lines)
    assert len(picture.groups) == len(exp.net)
    rows = [row for group in picture.groups for row in group]
    assert rows == sorted(set(rows))
    assert rows[-1] < len(picture.lines)
    if width < 40:
        return
    lines = [line.plain for line in picture.lines]
    for number, (group, place) in enumerate(zip(exp.net, picture.groups, strict=True), 1):
        times = f" ×{group.repeat}" if group.repeat > 1 else ""
        assert f" {number}  {group.block} {group.width}{times} " in lines[place.start]
    assert counts(lines) == net_shape(exp).parameters
    opened = max(0, min(chosen, len(exp.net) - 1))
    heavy = [number for number, place in enumerate(picture.groups) if lines[place.start].startswith("┏")]
    assert heavy == [opened]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("width", [36, 56, 116])
def test_presets_are_not_cut(name: str, width: int) -> None:
    exp = resolve(name)
    for chosen in range(len(exp.net)):
        lines = drawn(exp, chosen, width)
        assert "…" not in "".join(lines)
        assert counts(lines) == net_shape(exp).parameters


def test_residual_block_is_drawn_with_its_shortcut() -> None:
    assert "\n".join(drawn(resolve("residual-1001"), 1, 36)) == RESIDUAL


RESIDUAL = """\
   ○ digits  1 × 8 × 8 image
   ▼ flattened → 64
╭─ 1  dense 32 ───────────────────╮
│ identity · he                   │
╰──┬─────────── 2,080 parameters ─╯
   ▼ 32
┏━ 2  dense 32 ×500 ━━━━━━━━━━━━━━┓
┃ relu · shortcut · pre           ┣┓
┃ 2 layers · he                   ┃┃
┃   │ 32                        ╮ ┃┃
┃   ├─ identity ──────────────╮ │ ┃┃
┃ ┌─┴──────────────────────┐  │ │ ┃┃
┃ │ relu     ⣀⣀⣀⠔⠊         │  │ │ ┃┃
┃ │ dense    32 → 32 1,056 │  │ │ ┃┃
┃ ├────────────────────────┤  │ │ ┃┃
┃ │ relu     ⣀⣀⣀⠔⠊         │  │ │ ┃┃
┃ │ dense    32 → 32 1,056 │  │ │ ┃┃
┃ │ × 0.0447 branch gain   │  │ │ ┃┃
┃ └─┬──────────────────────┘  │ │ ┃┃
┃   ⊕◀────────────────────────╯ │ ┃┃
┃   │ 32                   ×500 ╯ ┃┃
┗━━━━━━━━━━ 1,056,000 parameters ━┛┃
 ┗━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
   ▼ 32
╭─ output 10 ─────────────────────╮
│ 10 classes · after relu         │
╰──────────────── 330 parameters ─╯"""


def test_lstm_is_drawn_with_its_gates() -> None:
    assert "\n".join(drawn(resolve("adding-lstm"), 0, 56)) == LSTM


LSTM = """\
   ○ adding  30 steps × 2 · batches of 64
   ▼
┏━ 1  lstm 24 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ xavier                                              ┃
┃   │ 30 steps × 2                                    ┃
┃ ┌─┴─────────────────────────────────────────────┐   ┃
┃ │ lstm    2 + 24 → 4×24                   2,688 │◀╮ ┃
┃ │ sigmoid in, forget, out ⣀⡠⠔⠊⠉                 │ │ ┃
┃ │ tanh    cell, in and out ⣀⣀⠔⠉⠉                │ │ ┃
┃ │ ↻       30 steps         keeps state and cell ├─╯ ┃
┃ └─┬─────────────────────────────────────────────┘   ┃
┃   │ 30 steps × 24                                   ┃
┗━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 2,688 parameters ━┛
   ▼ 30 steps × 24 → last step → 24
╭─ output 1 ──────────────────────────────────────────╮
│ 1 number                                            │
╰───────────────────────────────────── 25 parameters ─╯"""


def test_a_stage_of_a_residual_net_beside_its_neighbours() -> None:
    assert "\n".join(drawn(resolve("resnet-20"), 2, 116)) == STAGE


STAGE = """\
   ○ digits  1 × 8 × 8 image · batches of 32
   ▼
╭─ 1  conv 16 ──────────────────────────────────╮
│ 3×3 · identity · he                           │
╰──┬─────────────────────────── 160 parameters ─╯
   ▼ 16 × 8 × 8
╭─ 2  conv 16 ×3 ───────────────────────────────╮
│ 3×3 · relu · batch norm · shortcut · pre      ├╮
│ 2 layers · he                                 ││
╰─────────────────────────── 14,112 parameters ─╯│
 ╰─┬─────────────────────────────────────────────╯   ┏━ inside 3 · the first of 3 blocks ━━━━━━━━━━━━━━━━━━━━━━━━━━┓
   ▼ 16 × 8 × 8                                      ┃   │ 16 × 8 × 8                                              ┃
┏━ 3  conv 32 ×3 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓    ┃   ├─ projection 1×1/2 16 → 32 ──────────────────── 512 ───╮ ┃
┃ 3×3/2 · relu · batch norm · shortcut · pre    ┣┳━━━┫ ┌─┴────────────────────────────────────────────────────┐  │ ┃
┃ 2 layers · he                                 ┃┃   ┃ │ batch norm                  each over the batch   32 │  │ ┃
┗━━━━━━━━━━━━━━━━━━━━━━━━━━━ 51,744 parameters ━┛┃   ┃ │ relu       ⣀⣀⣀⠔⠊                                     │  │ ┃
 ┗━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛   ┃ │ conv       3×3/2 16 → 32                  he   4,640 │  │ ┃
   ▼ 32 × 4 × 4                                      ┃ ├──────────────────────────────────────────────────────┤  │ ┃
╭─ 4  conv 64 ×3 ───────────────────────────────╮    ┃ │ batch norm                  each over the batch   64 │  │ ┃
│ 3×3/2 · relu · batch norm · shortcut · pre    ├╮   ┃ │ relu       ⣀⣀⣀⠔⠊                                     │  │ ┃
│ 2 layers · he                                 ││   ┃ │ conv       3×3 32 → 32                    he   9,248 │  │ ┃
╰────────────────────────── 205,888 parameters ─╯│   ┃ │ × 0.333    branch gain              1/sqrt(9 blocks) │  │ ┃
 ╰─┬─────────────────────────────────────────────╯   ┃ └─┬────────────────────────────────────────────────────┘  │ ┃
   ▼ 64 × 2 × 2 → averaged → 64                      ┃   ⊕◀──────────────────────────────────────────────────────╯ ┃
╭─ output 10 ───────────────────────────────────╮    ┃   │ 32 × 4 × 4                                              ┃
│ 10 classes · after batch norm, relu           │    ┃ the other 2 blocks read 32 × 4 × 4: 18,624 parameters each  ┃
╰────────────────────────────── 778 parameters ─╯    ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛"""


def test_highway_group_is_drawn_with_its_shortcut() -> None:
    group: dict[str, Any] = {"width": 64, "repeat": 12, "shortcut": "highway", "activation": "tanh"}
    assert "\n".join(drawn(from_dict({"net": [group]}), 0, 50)) == HIGHWAY


HIGHWAY = """\
   ○ digits  1 × 8 × 8 image · batches of 64
   ▼ flattened → 64
┏━ 1  dense 64 ×12 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ tanh · highway · xavier                       ┣┓
┃   │ 64                                      ╮ ┃┃
┃   ├─ identity ────────────────────────────╮ │ ┃┃
┃   ├─ t = sigmoid(W x + b) ──── 4,160 ───╮ │ │ ┃┃
┃ ┌─┴──────────────────────────────────┐  │ │ │ ┃┃
┃ │ dense 64 → 64       xavier   4,160 │  │ │ │ ┃┃
┃ │ tanh  ⣀⣀⠔⠉⠉                        │  │ │ │ ┃┃
┃ └─┬──────────────────────────────────┘  │ │ │ ┃┃
┃   ×◀─ t ────────────────────────────────╯ │ │ ┃┃
┃   ⊕◀─ × (1 − t) ──────────────────────────╯ │ ┃┃
┃   │ 64                                  ×12 ╯ ┃┃
┗━━━━━━━━━━━━━━━━━━━━━━━━━━━ 99,840 parameters ━┛┃
 ┗━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
   ▼ 64
╭─ output 10 ───────────────────────────────────╮
│ 10 classes                                    │
╰────────────────────────────── 650 parameters ─╯"""


def test_attention_block_is_drawn_with_its_sublayers() -> None:
    group = {"block": "attention", "width": 32, "norm": "layer", "shortcut": "rezero", "activation": "gelu"}
    data = {"source": "copy", "length": 5}
    assert "\n".join(drawn(from_dict({"data": data, "net": [group]}), 0, 60)) == ATTENTION


ATTENTION = """\
   ○ copy  25 tokens of 10 · batches of 64
   ▼
╭─ embedding 32 ──────────────────────────────────────────╮
╰──┬───────────────────────────────────── 320 parameters ─╯
   ▼ 25 steps × 32
┏━ 1  attention 32 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃ 4 heads · gelu · layer norm · rezero · xavier           ┃
┃   │ 25 steps × 32                                       ┃
┃   + positions, as sines                                 ┃
┃   ├─ identity ────────────────────────────────────────╮ ┃
┃ ┌─┴────────────────────────────────────────────────┐  │ ┃
┃ │ qkv        32 → 3×32              xavier   3,168 │  │ ┃
┃ │ attention  4 heads of 8    25 × 25 steps, causal │  │ ┃
┃ │ out        32 → 32                xavier   1,056 │  │ ┃
┃ └─┬────────────────────────────────────────────────┘  │ ┃
┃   × learned, starts at 0                              │ ┃
┃   ⊕◀──────────────────────────────────────────────────╯ ┃
┃ ┌─┴────────────────────────────────────────────────┐    ┃
┃ │ layer norm                   over the units   64 │    ┃
┃ └─┬────────────────────────────────────────────────┘    ┃
┃   ├─ identity ────────────────────────────────────────╮ ┃
┃ ┌─┴────────────────────────────────────────────────┐  │ ┃
┃ │ mlp1       32 → 128               xavier   4,224 │  │ ┃
┃ │ gelu       ⣀⣀⣀⠔⠊                                 │  │ ┃
┃ │ mlp2       128 → 32               xavier   4,128 │  │ ┃
┃ └─┬────────────────────────────────────────────────┘  │ ┃
┃   × learned, starts at 0                         1    │ ┃
┃   ⊕◀──────────────────────────────────────────────────╯ ┃
┃ ┌─┴────────────────────────────────────────────────┐    ┃
┃ │ layer norm                   over the units   64 │    ┃
┃ └─┬────────────────────────────────────────────────┘    ┃
┃   │ 25 steps × 32                                       ┃
┗━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 12,705 parameters ━┛
   ▼ 25 steps × 32
╭─ output 10 ─────────────────────────────────────────────╮
│ 10 classes at every step                                │
╰──────────────────────────────────────── 330 parameters ─╯"""


def test_the_inside_stands_level_with_its_group() -> None:
    exp = resolve("resnet-110")
    for chosen in range(len(exp.net)):
        picture = draw(Outline(exp), chosen, SIDE_BY_SIDE_COLUMNS)
        row = picture.lines[picture.groups[chosen].start + 1].plain
        assert re.search("┣[━┳]━+┫", row)


def test_a_thousand_groups_are_all_drawn() -> None:
    exp = from_dict({"net": [{"width": 8 + number % 3} for number in range(1000)]})
    picture = draw(Outline(exp), 700, 40)
    assert len(picture.groups) == 1000
    assert " 701  dense" in picture.lines[picture.groups[700].start].plain
