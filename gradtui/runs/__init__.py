"""The run folder: written by a trainer, read by everything else. Needs numpy and msgspec, never torch.

The reader and the library also use `gradtui.experiment` to understand what was trained.
"""
