"""Record the gradients of the same trainings in other ways, each in a separate process."""
