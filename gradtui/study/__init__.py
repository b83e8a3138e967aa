"""Many trainings that answer one question: which of them run, beside how many others, and what they add up to.

Knows run folders, the diagnosis and how trainers are started; never torch, never the screens.
"""
