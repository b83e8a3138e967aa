"""Draw the net with characters: pure functions from an experiment to lines, without widgets and numpy."""
