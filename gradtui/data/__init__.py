"""Load an experiment's data and divide them into batches of tensors."""

from gradtui.data.arrays import DataError
from gradtui.data.batches import Batches, batches
from gradtui.data.dataset import Dataset, load
from gradtui.data.task import loss_and_accuracy

__all__ = ["Batches", "DataError", "Dataset", "batches", "load", "loss_and_accuracy"]
