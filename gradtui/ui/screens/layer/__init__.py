"""This package holds the page of one layer."""
