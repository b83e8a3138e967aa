"""An experiment's net as a torch module."""

from gradtui.nets.build import build
from gradtui.nets.layer import Layer
from gradtui.nets.net import Net

__all__ = ["Layer", "Net", "build"]
