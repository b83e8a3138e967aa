"""Tests of damaged run folders, and of other things that go wrong."""
