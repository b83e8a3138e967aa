"""A study runs many trainings that answer one question: it chooses which run at a time, and compares their results.

This package knows run folders, the diagnosis and how trainers are started, but neither torch nor the screens.
"""
