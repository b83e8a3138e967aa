"""Teach the subject with live trainings: each lesson is one TOML file of texts, experiments and questions."""
