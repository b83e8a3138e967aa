"""Test gradtui.experiment."""
