"""The page of one layer."""
