"""Write and read checkpoints, the whole state of a training between two steps as one safetensors file."""
