"""Parse each stylesheet once for all apps of a test process: an app of its own per test would parse them all again."""

from __future__ import annotations

from typing import Any

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_known: dict[tuple[Any, ...], list[RuleSet]] = {}
"""The rules by what they were parsed from: the text, its place, and the theme's variables."""


def share_parsed_styles() -> None:
    """Let all stylesheets of this process take rules that another one has parsed from the same text and variables."""
    parse = Stylesheet._parse_rules

    def parse_once(self: Stylesheet, *args: Any, **options: Any) -> list[RuleSet]:
        key = (args, frozenset(options.items()), frozenset(self._variables.items()))
        if key not in _known:
            _known[key] = parse(self, *args, **options)
        return _known[key]

    Stylesheet._parse_rules = parse_once  # type: ignore[method-assign]
