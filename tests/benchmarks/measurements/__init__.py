"""One file a measurement: what is done, how often, and its budget."""
