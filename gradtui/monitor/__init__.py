"""Watching somebody's own training: what `gradtui.watch` returns, and how it stays a guest in the script.

The room is not called `watch`: a package of that name would take the place of the function `gradtui.watch`.
"""
