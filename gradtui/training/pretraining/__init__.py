"""Layer-wise pretraining: each hidden layer learns from the output of the layers below it, before the whole."""
