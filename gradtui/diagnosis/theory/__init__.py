"""What mean-field theory says of the gradient over depth, before a step is taken; numpy only."""

from gradtui.diagnosis.theory.prediction import Prediction, predict

__all__ = ["Prediction", "predict"]
