"""The list of runs: its columns, the filter, and what is done to runs in it."""
