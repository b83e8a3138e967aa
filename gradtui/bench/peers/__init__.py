"""Other ways to record gradients, on the same trainings: each has a process of its own, and takes its turns."""
