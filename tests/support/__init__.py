"""Hold the helpers that several test modules share; there are no tests here."""
