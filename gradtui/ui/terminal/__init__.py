"""Find out what the person's terminal can show, and send it no more than it can take."""
