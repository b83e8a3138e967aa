"""Make runs of what other programs recorded: TensorBoard's event files and W&B's offline runs."""
