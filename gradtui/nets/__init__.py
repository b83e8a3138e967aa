"""Build an experiment's net as a torch module."""

from gradtui.nets.build import build
from gradtui.nets.net import Layer, Net

__all__ = ["Layer", "Net", "build"]
