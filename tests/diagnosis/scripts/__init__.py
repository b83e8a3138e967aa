"""Trainings as scripts have them, each with a known verdict: the set on which the diagnosis of scripts is measured."""
