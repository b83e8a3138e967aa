"""The net as a drawing of characters: pure functions from an experiment to lines, without widgets and numpy."""
