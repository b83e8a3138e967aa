"""Hold trainings as scripts have them, each with a known verdict, to measure the diagnosis of scripts."""
