"""What a run comes to: one JSON object for programs, one page of text for people."""
