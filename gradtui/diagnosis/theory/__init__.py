"""Predict the gradient over depth by mean-field theory, before a step is taken; numpy only."""

from gradtui.diagnosis.theory.prediction import Prediction, predict, predicted

__all__ = ["Prediction", "predict", "predicted"]
