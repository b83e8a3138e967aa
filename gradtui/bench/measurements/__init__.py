"""One file a measurement: what is done, how often, and what it is held against."""
