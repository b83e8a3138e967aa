"""Test the start of `gradtui watch -- COMMAND`."""
