"""The limits of a repair, in a module that imports nothing: the command line shows them in its help."""

ROUNDS = 3
"""The most rounds after the training of the experiment as it is."""
TRIAL_SECONDS = 30.0
"""The time for all trials before one round."""
