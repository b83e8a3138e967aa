"""This screen draws two to eight runs over each other."""
