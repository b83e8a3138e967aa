"""Numbers in, findings out: numpy only."""
