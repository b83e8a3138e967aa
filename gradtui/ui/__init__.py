"""Show runs and experiments on screens; this package needs textual and plotext, never torch."""
