"""The peers record the gradients of the same trainings in other ways, each in a process of its own."""
