"""The screens: textual and plotext, never torch."""
