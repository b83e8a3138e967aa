"""An experiment's data as batches of tensors."""

from gradtui.data.batches import Batches, batches
from gradtui.data.dataset import Dataset
from gradtui.data.errors import DataError
from gradtui.data.load import load
from gradtui.data.task import loss_and_accuracy

__all__ = ["Batches", "DataError", "Dataset", "batches", "load", "loss_and_accuracy"]
