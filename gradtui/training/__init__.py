"""Train an experiment in a separate process. This file imports no torch, because the screens import ``launch.py``."""
