"""Define each measurement in a file of its own: what is done, how often, and its budget."""
