"""Two to eight runs drawn over each other."""
