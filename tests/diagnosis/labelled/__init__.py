"""The labelled set: nets with a label that says what was done to them, and what the diagnosis says about each.

`cases/` is the set, `criterion.py` what a label means; `python -m tests.diagnosis.labelled` trains all of them and
prints how often the diagnosis is right. `recorded/` holds the numbers of some, for the tests that train nothing.
"""
