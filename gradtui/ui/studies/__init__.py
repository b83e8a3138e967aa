"""Studies on the screen: those that ship, those that were begun, and one of them as it is trained."""
