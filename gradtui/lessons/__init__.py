"""Lessons teach the subject with live trainings: each is one TOML file of texts, experiments and questions."""
