"""A run folder is written by a trainer and read by everything else. This package needs numpy and msgspec, never
torch.

The reader and the library also use `gradtui.experiment` to understand what was trained.
"""
