"""An experiment's data as batches of tensors."""
