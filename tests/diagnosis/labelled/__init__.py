"""Hold nets with a label that names what was done to them, and judge what the diagnosis finds in each.

`cases/` is the set, `criterion.py` what a label means; `python -m tests.diagnosis.labelled` trains all of them and
prints how often the diagnosis is right. `recorded/` holds the numbers of some, for the tests that train nothing.
"""
