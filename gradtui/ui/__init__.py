"""This package holds the screens; it needs textual and plotext, never torch."""
