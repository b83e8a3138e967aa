"""Charts turn numpy arrays into cells of characters, text and SVG; they know no widget and no textual."""
