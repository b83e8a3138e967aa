"""Define the widgets that several screens share."""
