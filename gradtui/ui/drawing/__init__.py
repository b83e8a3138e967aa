"""The net as a drawing of characters: pure functions from an experiment to lines, no widget and no numpy."""
