"""An experiment's net as a torch module."""
