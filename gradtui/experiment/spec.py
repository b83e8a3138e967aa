"""Define the experiment: what to train, as plain frozen data.

One experiment is one TOML file. This file is the only place where a field is described: its annotation holds its type,
its range or choices, and the text that the screens show for it (``fields.py`` reads them). The texts are data, not
docstrings, so that ``python -OO`` and a zipped install still show them. Rules between fields are in ``validate.py``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from gradtui.experiment.activations import ACTIVATIONS
from gradtui.experiment.optimizers import OPTIMIZERS

Block = Literal["dense", "conv", "rnn", "lstm", "gru", "attention"]
ActivationName = Annotated[str, Meta(extra={"choices": ACTIVATIONS})]
OptimizerName = Annotated[str, Meta(extra={"choices": OPTIMIZERS})]
"""A name in a table that can be extended; ``validate.py`` checks it."""
Norm = Literal["none", "batch", "layer", "group", "rms"]
Shortcut = Literal["none", "identity", "rezero", "highway"]
Init = Literal["torch", "xavier", "he", "lecun", "orthogonal", "normal", "fixup"]
RecurrentInit = Literal["torch", "orthogonal", "identity", "normal"]
Source = Literal[
    "digits", "spirals", "circle", "xor", "gauss", "adding", "copy", "text", "idx", "cifar10", "npz"
]

CountOrZero = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Positive = Annotated[float, Meta(gt=0.0)]
NotNegative = Annotated[float, Meta(ge=0.0)]


class ExperimentTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ExperimentTable is a table of an experiment; it is frozen, is made by keywords and refuses unknown fields."""


class Data(ExperimentTable, frozen=True, dict=True):
    """Data is the part [data], which says what the net learns from."""

    source: Annotated[
        Source,
        "Where the examples come from. digits (8×8 images) and points in the plane (spirals, circle, "
        "xor, gauss) need no file; adding and copy are generated sequences; text, idx (MNIST's "
        "format), cifar10 and npz are read from `path`.",
    ] = "digits"
    batch_size: Annotated[int, Meta(ge=1, le=65_536), "Examples in each step."] = 64
    path: Annotated[
        str,
        (
            "The file or folder that text, idx, cifar10 and npz read. If it is empty, text reads the poem "
            "that ships with gradtui."
        ),
    ] = ""
    sequence: Annotated[
        Literal["none", "rows", "pixels"],
        "How a recurrent net or a transformer reads an image: row by row or pixel by pixel.",
    ] = "none"
    length: Annotated[
        int,
        Meta(ge=1, le=100_000),
        "Steps of a sequence (adding), steps of the delay (copy), or characters of context (text).",
    ] = 30
    samples: Annotated[
        int,
        Meta(ge=10, le=100_000_000),
        "How many examples spirals, circle, xor, gauss, adding and copy generate.",
    ] = 2000
    scaling: Annotated[
        Literal["standard", "unit", "none"],
        (
            "How images are scaled: standard subtracts the mean of the training set and divides by its "
            "standard deviation; unit maps them to [0, 1]."
        ),
    ] = "standard"


class Group(ExperimentTable, frozen=True):
    """A Group is an entry of [[net]], a group of equal blocks. Groups are in the order from input to output."""

    block: Annotated[Block, "What one block is made of."] = "dense"
    width: Annotated[
        int,
        Meta(ge=1, le=65_536),
        "Units (dense), channels (conv), hidden size (rnn, lstm, gru) or model size (attention).",
    ] = 64
    repeat: Annotated[int, Meta(ge=1, le=10_000), "Blocks in the group."] = 1
    layers: Annotated[
        int,
        Meta(ge=1, le=16),
        "Weight layers inside one block; 2 with a shortcut is the basic residual block.",
    ] = 1
    activation: Annotated[
        ActivationName,
        "The nonlinearity. lstm and gru have their own and ignore it.",
    ] = "sigmoid"
    slope: Annotated[
        float,
        Meta(ge=0.0, le=1.0),
        "Slope of leaky_relu for negative inputs; for prelu, the slope at the start.",
    ] = 0.01
    norm: Annotated[Norm, "Normalisation of each layer's output."] = "none"
    order: Annotated[
        Literal["post", "pre"],
        "post: weights, norm, activation; pre: norm, activation, weights.",
    ] = "post"
    shortcut: Annotated[
        Shortcut,
        "A path around the block: identity adds the input (a projection where shapes differ), rezero "
        "scales the branch by a learned number that starts at 0, highway mixes both by a learned "
        "gate.",
    ] = "none"
    branch_gain: Annotated[
        NotNegative | Literal["depth"],
        'Factor on the last layer of a block with a shortcut, during the whole training; "depth" is '
        "1/sqrt(number of blocks). With 0 the layer starts at 0.",
    ] = 1.0
    init: Annotated[
        Init,
        (
            "How the weights start. torch is PyTorch's default for the layer; normal has the standard "
            "deviation gain/sqrt(fan-in)."
        ),
    ] = "xavier"
    gain: Annotated[
        NotNegative,
        "Factor on the initial standard deviation. For normal, the deviation is gain/sqrt(fan-in).",
    ] = 1.0
    bias_mean: Annotated[float, "Mean of the initial biases, which are drawn from a normal distribution."] = (
        0.0
    )
    bias_std: Annotated[NotNegative, "Standard deviation of the initial biases (sigma_b)."] = 0.0
    kernel: Annotated[
        int,
        Meta(ge=1, le=31),
        "Side of the square kernel of conv. The image is padded so that stride 1 keeps its size.",
    ] = 3
    stride: Annotated[
        int,
        Meta(ge=1, le=16),
        "Stride of the first layer of the group's first block (conv).",
    ] = 1
    heads: Annotated[int, Meta(ge=1, le=256), "Number of attention heads, which must divide the width."] = 4
    recurrent_init: Annotated[
        RecurrentInit,
        "How the hidden-to-hidden weights of rnn, lstm and gru start; normal is scaled to a spectral radius.",
    ] = "torch"
    recurrent_gain: Annotated[
        NotNegative,
        "Factor on the hidden-to-hidden weights; for normal, their spectral radius.",
    ] = 1.0
    forget_bias: Annotated[float, "Initial bias of the LSTM's forget gate."] = 0.0


class Optimizer(ExperimentTable, frozen=True):
    """Optimizer is the part [optimizer], which says how the weights are updated."""

    kind: Annotated[OptimizerName, "The rule by which the weights are updated."] = "sgd"
    lr: Annotated[Positive, "Learning rate."] = 0.1
    momentum: Annotated[float, Meta(ge=0.0, lt=1.0), "Momentum of sgd and rmsprop."] = 0.0
    weight_decay: Annotated[
        NotNegative,
        "Weight decay of adamw, which is separate from the gradient (cures.l2 is a penalty in the loss).",
    ] = 0.0
    schedule: Annotated[
        Literal["constant", "cosine", "step"],
        (
            "How the rate changes: cosine falls to 0 at the last step; step divides by 10 after half and "
            "after three quarters of the steps."
        ),
    ] = "constant"
    warmup_steps: Annotated[
        CountOrZero, "Steps in which the learning rate rises from 0 to its full value."
    ] = 0
    loss: Annotated[Literal["mean", "sum"], "How the loss is reduced over the batch."] = "mean"


class Pretrain(ExperimentTable, frozen=True):
    """Pretrain is the part [cures.pretrain].

    It describes layer-wise pretraining, or the checkpoint to start from, before the whole net is fine-tuned.
    """

    kind: Annotated[
        Literal["none", "autoencoder", "rbm", "checkpoint"],
        (
            "autoencoder and rbm (a restricted Boltzmann machine) pretrain each hidden layer; checkpoint "
            "loads weights from a file."
        ),
    ] = "none"
    epochs: Annotated[int, Meta(ge=1, le=100_000), "Pretraining epochs for each layer."] = 5
    lr: Annotated[
        NotNegative,
        "Learning rate of the pretraining; 0 is the default of its kind (autoencoder 0.01 with Adam, rbm 0.1).",
    ] = 0.0
    path: Annotated[
        str,
        "The checkpoint: a .safetensors file, or a run's folder (its newest checkpoint).",
    ] = ""
    freeze: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        "How many of the first layers fine-tuning does not change; their gradient is still recorded.",
    ] = 0


class Cures(ExperimentTable, frozen=True):
    """Cures is the part [cures], which says what the training does against vanishing and exploding gradients."""

    clip_norm: Annotated[
        NotNegative,
        "Largest allowed norm of the gradient of all parameters together; 0 is off.",
    ] = 0.0
    clip_value: Annotated[NotNegative, "Largest allowed size of any number in the gradient; 0 is off."] = 0.0
    l1: Annotated[
        NotNegative, "Penalty on weights (not biases), added to the loss: l1 times the sum of their sizes."
    ] = 0.0
    l2: Annotated[
        NotNegative,
        "Penalty on weights (not biases), added to the loss: half of l2 times the sum of their squares.",
    ] = 0.0
    pretrain: Annotated[Pretrain, "Layer-wise pretraining."] = field(default_factory=Pretrain)


class RunSettings(ExperimentTable, frozen=True):
    """RunSettings are the part [run], which say how long to train, and on which device."""

    steps: Annotated[int, Meta(ge=1, le=1_000_000_000), "Number of optimizer steps."] = 500
    device: Annotated[
        str,
        Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 (or :2 …) or mps"),
        "auto, cpu, cuda, cuda:1 or mps. auto takes a GPU only where the net is large enough to gain by it.",
    ] = "auto"
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"],
        "Number format of forward and backward; weights stay in fp32.",
    ] = "fp32"
    loss_scale: Annotated[
        NotNegative,
        "Factor on the loss under fp16, so that small gradients survive; 0 adapts it automatically, 1 is off.",
    ] = 0.0
    eval_every: Annotated[
        CountOrZero,
        "Steps between evaluations on the training and test set; 0 evaluates only at the end.",
    ] = 100
    checkpoint_every: Annotated[CountOrZero, "Steps between checkpoints; 0 saves one only at the end."] = 0
    threads: Annotated[
        int,
        Meta(ge=0, le=1024),
        "CPU threads of the trainer; 0 leaves the choice to PyTorch. Small nets are fastest with 1.",
    ] = 1


class Experiment(ExperimentTable, frozen=True):
    """An Experiment describes one training completely."""

    name: Annotated[
        str,
        Meta(min_length=1, max_length=200),
        "The name in lists and charts.",
    ] = "untitled"
    description: Annotated[str, "One line on what the experiment shows."] = ""
    seed: Annotated[
        int, Meta(ge=0, lt=2**32), "Random seed for weights, splits, shuffles and generated data."
    ] = 0
    data: Annotated[Data, "What the net learns from."] = field(default_factory=Data)
    net: Annotated[
        tuple[Group, ...],
        Meta(min_length=1, max_length=1000),
        "Groups of blocks, input to output; the output layer follows from the data.",
    ] = (Group(),)
    optimizer: Annotated[Optimizer, "How the weights are updated."] = field(default_factory=Optimizer)
    cures: Annotated[Cures, "Measures against vanishing and exploding gradients."] = field(
        default_factory=Cures
    )
    run: Annotated[RunSettings, "How long to train, and on which device."] = field(
        default_factory=RunSettings
    )
