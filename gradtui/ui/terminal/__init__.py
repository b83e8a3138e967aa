"""The terminal of the person: what it can show, and how it is sent no more than it can take."""
