"""Tests of gradtui.experiment."""
