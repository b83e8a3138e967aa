"""Load an experiment's data and divide them into batches of tensors."""

from gradtui.data.arrays import DataError
from gradtui.data.dataset import Batches, Dataset, batches, load
from gradtui.data.task import loss_and_accuracy

__all__ = ["Batches", "DataError", "Dataset", "batches", "load", "loss_and_accuracy"]
