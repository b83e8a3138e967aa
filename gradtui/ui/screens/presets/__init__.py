"""The package holds the list of presets, as a curriculum."""
