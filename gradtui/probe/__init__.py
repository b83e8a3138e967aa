"""Measure a model at single steps: gradient norms, and the metrics of its layers."""
