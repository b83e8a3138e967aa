"""A study runs many trainings that answer one question: it chooses how many train at once, and compares their results.

This package knows run folders, the diagnosis and how trainers are started, but neither torch nor the screens.
"""
