"""Tests that do what an attacker does."""
