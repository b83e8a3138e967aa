"""What stands inside a screen's frames."""
