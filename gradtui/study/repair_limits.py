"""Define the limits of a repair without imports, because the command line shows them in its help."""

ROUNDS = 3
"""The most rounds after the training of the unchanged experiment."""
TRIAL_SECONDS = 30.0
"""The time for all trials before one round, in seconds."""
