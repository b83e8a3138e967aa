"""Describe the result of a run: one JSON object for programs, one page of text for people."""
