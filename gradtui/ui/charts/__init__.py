"""Drawing from numpy arrays, without any knowledge of runs."""
