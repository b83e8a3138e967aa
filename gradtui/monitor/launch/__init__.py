"""Record an unchanged training command: `gradtui watch -- COMMAND` starts the code of this package.

`startup/sitecustomize.py` runs in every Python process of the command, and detects the first step of an optimizer.
Only then is `first_step` imported: it finds the models by `survey`, names them by their variables, and calls
`gradtui.watch`. In a trial, `trial_steps` changes the steps first. `options` passes the options of the command line
to these processes.
"""
