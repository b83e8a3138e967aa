"""What other programs recorded of a training, made a run: TensorBoard's event files, W&B's offline runs."""
