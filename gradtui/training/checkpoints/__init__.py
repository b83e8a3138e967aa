"""A checkpoint holds all that a training consists of between two steps, in one safetensors file, without pickle."""
