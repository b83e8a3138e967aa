"""Each module or package here is one whole screen."""
