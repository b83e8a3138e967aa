"""This package holds the list of runs."""
