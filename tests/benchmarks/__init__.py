"""Measure how fast the app starts, paints and answers, and what recording costs, on this machine.

``python -m tests.benchmarks`` prints the table; ``--help`` lists what can be measured.
"""
