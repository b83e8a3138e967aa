"""The run folder: numpy and the standard library only."""
