"""Cures that change the training: rates, batches, clipping, penalties, pretraining and number formats.

Docstrings as in ``edits_net.py``: first why it helps, then its price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

if TYPE_CHECKING:
    from gradtui.experiment.spec import Experiment


def smaller_batch(exp: Experiment) -> Experiment:
    """A loss summed over the batch has a gradient that grows with the batch: an eighth of it is an eighth
    as large.

    Price: noisier gradients, more steps for an epoch; of a mean loss it changes only the noise.
    """
    return replace(exp, data=replace(exp.data, batch_size=max(1, exp.data.batch_size // 8)))


def smaller_lr(exp: Experiment) -> Experiment:
    """A twentieth of the rate: the same large gradients no longer throw the weights out of the region they
    know.

    Price: everything that was not too fast becomes twenty times slower.
    """
    return replace(exp, optimizer=replace(exp.optimizer, lr=float(f"{exp.optimizer.lr / 20:.6g}")))


def clip_norm(exp: Experiment) -> Experiment:
    """The gradient is scaled down to norm 1 where it is longer: its direction stays, its explosion goes.

    Price: a threshold to choose; where every step is clipped, the rate alone decides the size of the steps.
    """
    return replace(exp, cures=replace(exp.cures, clip_norm=min(exp.cures.clip_norm or 1.0, 1.0)))


def clip_value(exp: Experiment) -> Experiment:
    """No number of the gradient may exceed 0.5 in size: a few exploding weights cannot carry the others away.

    Price: it turns the gradient's direction towards the diagonal wherever it acts.
    """
    return replace(exp, cures=replace(exp.cures, clip_value=min(exp.cures.clip_value or 0.5, 0.5)))


def l1(exp: Experiment) -> Experiment:
    """A penalty on the size of the weights pulls them to zero, and smaller weights multiply the gradient by
    less.

    Price: slow, a bias in the solution, and many weights end at exactly nothing; too much of it starves the
    net.
    """
    return replace(exp, cures=replace(exp.cures, l1=max(exp.cures.l1, 0.01)))


def l2(exp: Experiment) -> Experiment:
    """A penalty on the squared weights shrinks the largest most, and smaller weights multiply the gradient
    by less.

    Price: slow (a fraction rate × penalty a step), and a bias in the solution; too much of it starves the
    net.
    """
    return replace(exp, cures=replace(exp.cures, l2=max(exp.cures.l2, 0.05)))


def pretrain_autoencoder(exp: Experiment) -> Experiment:
    """Each layer first learns to reconstruct the output of the layer below: no gradient has to cross the
    depth.

    Price: epochs for every layer before the training proper; Adam, ReLU or a norm mostly make it needless
    today.
    """
    return _pretrain(exp, "autoencoder")


def pretrain_rbm(exp: Experiment) -> Experiment:
    """Each layer first learns the statistics of the layer below as a restricted Boltzmann machine, without
    any gradient through the depth (contrastive divergence).

    Price: as for autoencoders; and only for sigmoid units, with inputs between 0 and 1.
    """
    exp = _pretrain(exp, "rbm")
    return replace(exp, data=replace(exp.data, scaling="unit"))


def mean_loss(exp: Experiment) -> Experiment:
    """The mean over the batch makes the gradient's size independent of the batch, so one rate suits all of
    them.

    Price: steps become smaller by the batch size; the rate may have to grow again.
    """
    return replace(exp, optimizer=replace(exp.optimizer, loss="mean"))


def scale_loss(exp: Experiment) -> Experiment:
    """fp16 knows nothing below 6e-8: the loss is multiplied before the backward pass, so that small gradients
    survive, and the gradient divided again before the step.

    Price: a step is lost each time the scale proves too large; it adapts by itself.
    """
    if exp.run.precision != "fp16":
        return exp
    return replace(exp, run=replace(exp.run, loss_scale=0.0))


def use_bf16(exp: Experiment) -> Experiment:
    """bf16 reaches as far down as fp32, to 1e-38, so no gradient is lost and no loss needs scaling.

    Price: only 8 bits of precision instead of fp16's 11, and only newer devices compute it fast.
    """
    if exp.run.precision != "fp16":
        return exp
    return replace(exp, run=replace(exp.run, precision="bf16"))


def _pretrain(exp: Experiment, kind: Literal["autoencoder", "rbm"]) -> Experiment:
    pretrain = replace(exp.cures.pretrain, kind=kind, epochs=8, lr=0.0, path="", freeze=0)
    return replace(exp, cures=replace(exp.cures, pretrain=pretrain))
