"""This package records a training command that was not changed: it is what `gradtui watch -- COMMAND` starts.

`startup/sitecustomize.py` runs in every Python process of the command, and notices the first step of an optimizer.
Only then `first_step` is imported: it finds the models by `survey`, names them by their variables, and calls
`gradtui.watch`. In a trial, `trial_steps` changes the steps first.
`options` is what the command line and these processes share.
"""
