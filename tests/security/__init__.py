"""Test what an attacker could do."""
