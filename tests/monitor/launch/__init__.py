"""Tests of the start of `gradtui watch -- COMMAND`."""
