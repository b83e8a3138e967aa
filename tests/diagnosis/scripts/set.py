"""Register every training of the set by importing its modules."""

from tests.diagnosis.scripts import (
    failing_known,
    failing_published,
    healthy_images,
    healthy_others,
    healthy_sequences,
    later_reporting,
    later_setting,
)
from tests.diagnosis.scripts.registry import TRAININGS

__all__ = [
    "TRAININGS",
    "failing_known",
    "failing_published",
    "healthy_images",
    "healthy_others",
    "healthy_sequences",
    "later_reporting",
    "later_setting",
]
