"""Make runs from the logs of other programs: TensorBoard's event files and W&B's offline runs."""
