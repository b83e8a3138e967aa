"""Runs held against each other: over each other where one chart can hold them, side by side where not."""
