"""Write the table of how often the advice helps, by finding and by cure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.diagnosis.failing.measuring import Measured

COLUMNS = "| nets | first advice: nothing found | and it learns | one of the first three | three rounds |"
RULE = "| --- | ---: | ---: | ---: | ---: | ---: |"


def report(nets: Sequence[Measured]) -> str:
    """Return the table as Markdown: all nets that can learn, then by the first finding, then by the first advice."""
    able = [net for net in nets if net.can_learn]
    lines = [
        f"{len(nets)} failing nets were drawn; {len(able)} can learn something in their steps, and these count.",
        "",
        f"| first finding {COLUMNS}",
        RULE,
        _row("all", able),
    ]
    lines += _rows(able, lambda net: net.code)
    lines += [
        "",
        f"| first advice contains {COLUMNS}",
        RULE,
    ]
    kinds = sorted({kind for net in able for kind in kinds_of(net)})
    lines += [_row(kind, [net for net in able if kind in kinds_of(net)]) for kind in kinds]
    worse = [net.name for net in able if net.worse]
    lines += ["", f"Nets that end worse than they began: {', '.join(worse) or 'none'}."]
    return "\n".join(lines)


def kinds_of(net: Measured) -> set[str]:
    """Return what the first advice consists of, without figures."""
    cure = net.attempts[1].cure if len(net.attempts) > 1 else None
    if cure is None:
        return {"no advice"}
    fields = {path.rpartition(".")[2] for path in cure.set}
    return {kind for kind, named in KINDS.items() if fields & named}


KINDS = {
    "another rate or optimizer": {"lr", "kind"},
    "another initialisation or gain": {"init", "gain", "recurrent_init", "recurrent_gain", "forget_bias"},
    "another activation": {"activation"},
    "another block": {"block"},
    "a norm": {"norm"},
    "shortcuts": {"shortcut"},
    "clipping": {"clip_norm", "clip_value"},
    "biases at 0": {"bias_mean"},
    "no penalty": {"l1", "l2", "weight_decay"},
    "mean loss": {"loss"},
}
"""The parts of a cure by the fields that they change."""


def _rows(nets: Sequence[Measured], key: Callable[[Measured], str]) -> list[str]:
    groups = sorted({key(net) for net in nets})
    return [_row(group, [net for net in nets if key(net) == group]) for group in groups]


def _row(name: str, nets: Sequence[Measured]) -> str:
    def share(test: Callable[[Measured], bool]) -> str:
        count = sum(map(test, nets))
        return f"{count} ({count / len(nets):.0%})" if nets else "–"

    cells = (
        share(lambda net: net.first_clean),
        share(lambda net: net.first_learns),
        share(lambda net: net.one_learns),
        share(lambda net: net.learns),
    )
    return f"| {name} | {len(nets)} | {' | '.join(cells)} |"
