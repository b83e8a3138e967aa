"""Test what the commands print where an encoding or a terminal lacks characters."""

from __future__ import annotations

import io

import pytest

from gradtui.cli import _replace_unprintable


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def _printed(monkeypatch: pytest.MonkeyPatch, stream: io.TextIOWrapper, text: str) -> bytes:
    monkeypatch.setattr("sys.stdout", stream)
    _replace_unprintable()
    print(text, end="", file=stream, flush=True)
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def test_what_an_encoding_lacks_is_printed_as_the_app_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "✖ vanishing · ▁▃▇ · 0.5 – 1 × ü"
    assert _printed(monkeypatch, io.TextIOWrapper(io.BytesIO(), "ascii"), text) == (
        b"X vanishing . _-# . 0.5 - 1 x u"
    )
    assert _printed(monkeypatch, io.TextIOWrapper(io.BytesIO(), "latin-1"), "✓ ü") == b"+ \xfc"
    assert _printed(monkeypatch, io.TextIOWrapper(io.BytesIO(), "utf-8"), text) == text.encode()


def test_a_terminal_of_ascii_gets_ascii_though_python_prints_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for locale, expected in (("C", b"X vanishing"), ("de_DE.UTF-8", "✖ vanishing".encode())):
        monkeypatch.setenv("LC_ALL", locale)
        assert _printed(monkeypatch, _Terminal(io.BytesIO(), "utf-8"), "✖ vanishing") == expected
    # A file or a pipe has what Python prints there.
    monkeypatch.setenv("LC_ALL", "C")
    assert _printed(monkeypatch, io.TextIOWrapper(io.BytesIO(), "utf-8"), "✖") == "✖".encode()
