"""Train an experiment in a process of its own. This file imports no torch: the screens import ``launch.py``."""
