"""Test damaged run folders and other faults."""
