"""Change the steps of one optimizer, and restore the script's settings after each.

Rates and other settings are replaced only during each step. So schedulers that compute the next rate from the one
before, and scripts that set rates by themselves, work as usual.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gradtui.monitor.launch.changes import TrialChange
from gradtui.monitor.launch.loss_scale import scale_losses
from gradtui.monitor.launch.new_weights import layers_to_initialise, reinitialise, reset_statistics
from gradtui.monitor.launch.process_objects import ProcessObjects, parameters_of


class ChangedOptimizer:
    """A ChangedOptimizer changes each step of an optimizer of the script."""

    def __init__(self, reference: weakref.ref[Optimizer], change: TrialChange) -> None:
        """Take the optimizer before its first step."""
        self._reference = reference
        self._change = change
        self.steps = 0
        """The number of steps so far."""
        self.starts_anew = change.part("init") is not None
        """Whether the layers still have to be initialised."""
        self._first_rates = [float(group.get("lr") or 0.0) for group in self._optimizer.param_groups]
        self._before: list[tuple[dict[str, Any], str, Any]] = []
        self._withheld: list[tuple[Tensor, Tensor]] = []
        self._left_out = self._leaves_out_next = False
        self._has_late_hook = False

    @property
    def _optimizer(self) -> Optimizer:
        optimizer = self._reference()
        assert optimizer is not None
        return optimizer

    def start_anew(self) -> None:
        """Initialise the layers, and make the optimizer skip this step, since its gradient is that of other weights."""
        how = self._change.part("init")
        assert how is not None
        modules = ProcessObjects().modules
        layers = layers_to_initialise(modules, parameters_of(self._optimizer))
        reinitialise(layers, how.word)
        reset_statistics(modules, layers)
        self.starts_anew = False
        self._left_out = True
        self._withhold()

    def before_step(self) -> None:
        """Change the settings and the gradient of the next step."""
        self._put_back()
        self._left_out = False
        if self.steps == 0 and (scale := self._change.part("loss_scale")) is not None:
            scale_losses(scale.number, parameters_of(self._optimizer))
        self._change_rates()
        for setting in ("weight_decay", "eps", "betas"):
            self._change_setting(setting)
        if not self._has_late_hook:
            self._has_late_hook = True
            self._optimizer.register_step_pre_hook(lambda *_: self._after_recording())
        if self._change.part("skip_nonfinite") is not None and not self._is_finite():
            # The recording takes this as the sign that a scaler skips the step.
            self._optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]
            self._leaves_out_next = True
        elif self.steps > 0:
            self._clip()

    def _after_recording(self) -> None:
        """Make the changes that the recording must not see; its hook, if it is there before the first step, has run."""
        if self._leaves_out_next:
            self._leaves_out_next = False
            del self._optimizer.found_inf  # type: ignore[attr-defined]
            self._withhold()
        elif self.steps == 0 and not self._left_out:
            # The norm before clipping is known from the backward pass in later steps, and from here in the first.
            self._clip()

    def after_step(self) -> None:
        """Count the step, and restore the script's settings."""
        self._put_back()
        self.steps += not self._left_out

    # -- settings

    def _change_rates(self) -> None:
        rate, warmup = self._change.part("lr"), self._change.part("warmup")
        if rate is None and warmup is None:
            return
        share = min(1.0, (self.steps + 1) / warmup.number) if warmup is not None else 1.0
        groups = self._optimizer.param_groups
        factors: list[float] | None = None
        values = [0.0] * len(groups)
        if rate is None or rate.factor:
            factors = [1.0 if rate is None else rate.number] * len(groups)
        elif peaks := _peaks(groups):
            # The script's schedule remains, and its highest rate becomes this one.
            factors = [rate.number / max(peaks)] * len(groups)
        else:
            # The ratios of the groups' rates stay the same.
            first = [*self._first_rates, *[0.0] * len(groups)][: len(groups)]
            values = [rate.number * (one / max(first) if max(first) > 0 else 1.0) for one in first]
        for number, group in enumerate(groups):
            new = values[number] if factors is None else group["lr"] * factors[number]
            self._set(group, "lr", new * share)

    def _change_setting(self, name: str) -> None:
        part = self._change.part(name)
        if part is None:
            return
        groups = self._optimizer.param_groups
        # Biases and norms often have no weight decay on purpose.
        some_decay = name == "weight_decay" and any(group[name] for group in groups)
        for group in groups:
            if name == "betas":
                self._set(group, name, part.numbers)
            elif not some_decay or group[name]:
                self._set(group, name, part.applied(group[name]))

    def _set(self, group: dict[str, Any], name: str, value: Any) -> None:
        before = group[name]
        self._before.append((group, name, before))
        # A compiled or captured step reads its rate from a tensor.
        is_tensor = isinstance(before, Tensor) and not isinstance(value, Tensor)
        group[name] = torch.full_like(before, value) if is_tensor else value

    # -- gradients

    def _clip(self) -> None:
        norm, value = self._change.part("clip"), self._change.part("clip_value")
        if norm is None and value is None:
            return
        parameters = [p for p in parameters_of(self._optimizer) if p.grad is not None]
        # A fused optimizer unscales the gradients itself, after this.
        scale = getattr(self._optimizer, "grad_scale", None)
        factor = float(scale) if isinstance(scale, Tensor) else 1.0
        if value is not None:
            torch.nn.utils.clip_grad_value_(parameters, value.number * factor)
        if norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, norm.number * factor)

    def _is_finite(self) -> bool:
        gradients = [p.grad for p in parameters_of(self._optimizer) if p.grad is not None]
        return all(bool(torch.isfinite(g.coalesce().values() if g.is_sparse else g).all()) for g in gradients)

    def _withhold(self) -> None:
        """Remove the gradients for the duration of the step, so that the optimizer moves nothing."""
        for parameter in parameters_of(self._optimizer):
            if parameter.grad is not None:
                self._withheld.append((parameter, parameter.grad))
                parameter.grad = None

    def _put_back(self) -> None:
        for group, name, value in reversed(self._before):
            group[name] = value
        self._before.clear()
        for parameter, gradient in self._withheld:
            if parameter.grad is None:
                parameter.grad = gradient
        self._withheld.clear()


def _peaks(groups: list[dict[str, Any]]) -> list[float]:
    """Return the highest rates of the groups by their scheduler; empty without one."""
    peaks = [group.get("max_lr", group.get("initial_lr")) for group in groups]
    known = [float(peak) for peak in peaks if isinstance(peak, int | float | Tensor)]
    return known if len(known) == len(groups) and max(known) > 0 else []
