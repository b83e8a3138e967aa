"""Write cures as lines of PyTorch with a script's own names; the first line of each piece says where it goes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gradtui.runs.script_training import ScriptTraining

MOST_NAMED = 4
"""Up to this many layers are written by name; more of them are selected by their class."""
MOST_LINES = 8
"""The most lines of a piece, the comment included."""
LINEAR = ("Linear",)
CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
RECURRENT = ("RNN", "LSTM", "GRU")
RECTIFIERS = ("ReLU", "LeakyReLU", "GELU", "SiLU", "ELU", "PReLU", "Mish", "ReLU6", "Hardswish")
OUTPUTS_THAT_DIE = ("ReLU", "Softmax", "Sigmoid")
"""Activations whose output can become constant, and with it the loss."""
NORMS = {
    "Linear": "LayerNorm(layer.out_features)",
    "Conv1d": "BatchNorm1d(layer.out_channels)",
    "Conv2d": "BatchNorm2d(layer.out_channels)",
    "Conv3d": "BatchNorm3d(layer.out_channels)",
}


@dataclass(frozen=True)
class CodeWriter:
    """A CodeWriter writes pieces of code for the training of one script."""

    script: ScriptTraining
    model: str
    """The variable of the model that the pieces are about."""
    optimizer: str
    """The variable of its optimizer."""
    modules: tuple[tuple[str, str], ...]
    """The names and classes of its modules."""
    label: str = ""
    """The name under which the model is watched, where there are several."""

    @classmethod
    def of(cls, script: ScriptTraining, layers: Sequence[str] = ()) -> CodeWriter:
        """Return the writer for the model to which the first of these layers belongs."""
        labels = [label for label in script.models if label]
        first = layers[0] if layers else ""
        label = next((one for one in labels if first == one or first.startswith(f"{one}.")), "")
        label = label or next(iter(labels), "")
        modules = [(name, kind) for name, kind in script.modules if not label or name.startswith(f"{label}.")]
        return cls(
            script,
            _variable(script.models.get(label), label if label else "model"),
            _variable(
                script.optimizers.get(label) or next(iter(script.optimizers.values()), ""), "optimizer"
            ),
            tuple((name.removeprefix(f"{label}.") if label else name, kind) for name, kind in modules),
            label,
        )

    # -- where a piece goes

    @property
    def _gradient(self) -> str:
        return f"# between loss.backward() and {self._step}"

    @property
    def _step(self) -> str:
        scaler = self.script.scaler
        return f"{scaler}.step({self.optimizer})" if scaler else f"{self.optimizer}.step()"

    # -- the pieces

    def clip(self, norm: float, *, instead: bool = False) -> str:
        """Clip the norm of the gradient."""
        lines = [self._gradient + (", instead of the present threshold" if instead else "")]
        if self.script.scaler:
            lines.append(f"{self.script.scaler}.unscale_({self.optimizer})")
        lines.append(f"torch.nn.utils.clip_grad_norm_({self.model}.parameters(), {norm:g})")
        return "\n".join(lines)

    def rate(self, new: float, before: float) -> str:
        """Set the learning rate."""
        lines = ["# after the optimizer is created, before any scheduler"]
        lines.append(f"for group in {self.optimizer}.param_groups:")
        if self.script.groups > 1:
            lines.append(f'    group["lr"] *= {new / before:.2g}')
        else:
            lines.append(f'    group["lr"] = {new:g}  # it was {before:.3g}')
        return "\n".join(lines)

    def adam(self, rate: float) -> str:
        """Make an optimizer of Adam."""
        made = f"torch.optim.Adam({self.model}.parameters(), lr={rate:g})"
        return f"# replaces the optimizer\n{self.optimizer} = {made}"

    def new_optimizer(self, kind: str, rate: float) -> str:
        """Make the optimizer of the model's own parameters."""
        return (
            "# where the optimizer is created, once the model is complete\n"
            f"{self.optimizer} = torch.optim.{kind}({self.model}.parameters(), lr={rate:g})"
        )

    def join_optimizer(self) -> str:
        """Give the model's parameters to the optimizer that moves others."""
        return (
            "# after the optimizer is created\n"
            f'{self.optimizer}.add_param_group({{"params": {self.model}.parameters()}})'
        )

    def list_unreached(self) -> str:
        """Print the parameters that got no gradient, to find the place where the graph is cut."""
        return (
            f"{self._gradient}, until the list is empty\n"
            f"print([name for name, weight in {self.model}.named_parameters()\n"
            "       if weight.requires_grad and (weight.grad is None or not weight.grad.any())])"
        )

    def freeze(self, layers: Sequence[str]) -> str:
        """Freeze layers that are not trained; empty where there are too many to name, or none."""
        if not layers or len(layers) > MOST_LINES:
            return ""
        names = [self.path(self._within(name)) for name in layers]
        return (
            "# before the optimizer is created, if they are not meant to be trained\n"
            f"for layer in [{', '.join(names)}]:\n    layer.requires_grad_(False)"
        )

    def _within(self, layer: str) -> str:
        """Return the name of a layer within its model."""
        return layer.removeprefix(f"{self.label}.") if self.label else layer

    def open_output(self) -> str:
        """Take away an activation behind the last layer."""
        kinds = " | ".join(f"torch.nn.{kind}" for kind in OUTPUTS_THAT_DIE)
        return (
            "# before the optimizer is created\n"
            f"last = list(dict({self.model}.named_modules()))[-1]\n"
            f"if isinstance({self.model}.get_submodule(last), {kinds}):\n"
            f"    {self.model}.set_submodule(last, torch.nn.Identity())"
        )

    def clear(self) -> str:
        """Clear the gradients."""
        return f"# before loss.backward(), once for each step\n{self.optimizer}.zero_grad()"

    def clear_earlier(self) -> str:
        """Clear the gradients before the backward pass, and not before the step."""
        there = "remove the present zero_grad() or clip at 0 at this place"
        return f"{self.clear()}\n{self._gradient}, {there}"

    def scale_loss(self) -> str:
        """Scale the loss."""
        return (
            "# once, before the loop\n"
            f'scaler = torch.amp.GradScaler("{self.script.device}")\n'
            f"# replaces loss.backward() and {self.optimizer}.step()\n"
            f"scaler.scale(loss).backward()\nscaler.step({self.optimizer})\nscaler.update()"
        )

    def wide_weights(self) -> str:
        """Keep the weights in float32."""
        return (
            "# before the optimizer is created; compute the loss under\n"
            f'# torch.autocast("{self.script.device}", dtype=torch.bfloat16)\n'
            f"{self.model}.float()"
        )

    @property
    def has_layers(self) -> bool:
        """Return whether it has layers that can be initialised."""
        return any(kind in (*LINEAR, *CONVOLUTIONS, *RECURRENT) for _, kind in self.modules)

    @property
    def is_recurrent(self) -> bool:
        """Return whether it has recurrent layers."""
        return any(kind in RECURRENT for _, kind in self.modules)

    @property
    def rule(self) -> str:
        """Return the initialisation that fits the activations as far as they are known: he or xavier."""
        functions = set(self.script.functions)
        return "xavier" if functions & {"Tanh", "Sigmoid"} and not functions & set(RECTIFIERS) else "he"

    def initialise(self, rule: str) -> str:
        """Initialise the layers of weights by He's or Xavier's rule, and recurrences orthogonally."""
        return "\n".join(["# before the optimizer is created", *self._initialise(rule)])

    def _initialise(self, rule: str, *, biases: bool = True) -> list[str]:
        feed = [(name, kind) for name, kind in self.modules if kind in (*LINEAR, *CONVOLUTIONS)]
        recurrent = [name for name, kind in self.modules if kind in RECURRENT]
        # A single linear layer behind a recurrent one is the output layer.
        lines = [] if recurrent and not feed[1:] else self._feed_forward(feed, rule, biases=biases)
        for name in recurrent:
            if len(lines) + 3 < MOST_LINES:
                lines += [
                    f"for name, weight in {self.path(name)}.named_parameters():",
                    '    if "weight_hh" in name:',
                    "        torch.nn.init.orthogonal_(weight)",
                ]
        return lines

    def _feed_forward(self, layers: Sequence[tuple[str, str]], rule: str, *, biases: bool) -> list[str]:
        if not layers:
            return []
        if len(layers) <= MOST_NAMED:
            lines, indent = [f"for layer in [{', '.join(self.path(name) for name, _ in layers)}]:"], "    "
        else:
            kinds = " | ".join(f"torch.nn.{kind}" for kind in dict.fromkeys(kind for _, kind in layers))
            lines = [f"for layer in {self.model}.modules():", f"    if isinstance(layer, {kinds}):"]
            indent = "        "
        if rule == "he":
            lines.append(f'{indent}torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")')
        else:
            lines.append(f"{indent}torch.nn.init.xavier_normal_(layer.weight{self._gain()})")
        if biases:
            lines += [
                f"{indent}if layer.bias is not None:",
                f"{indent}    torch.nn.init.zeros_(layer.bias)",
            ]
        return lines

    def _gain(self) -> str:
        return ', gain=torch.nn.init.calculate_gain("tanh")' if "Tanh" in self.script.functions else ""

    def rectify(self) -> str:
        """Replace sigmoids by ReLU, and initialise for it."""
        swap = self._swap("Sigmoid", "ReLU()")
        return "\n".join(["# before the optimizer is created", *swap, *self._initialise("he", biases=False)])

    def leaky(self) -> str:
        """Replace ReLU by leaky ReLU."""
        return "\n".join(["# before the optimizer is created", *self._swap("ReLU", "LeakyReLU(0.02)")])

    def _swap(self, old: str, new: str) -> list[str]:
        return [
            f"for name, module in list({self.model}.named_modules()):",
            f"    if isinstance(module, torch.nn.{old}):",
            f"        {self.model}.set_submodule(name, torch.nn.{new})",
        ]

    @property
    def pre_norm(self) -> str:
        """Put the norms of post-norm blocks before the blocks; empty if there are none."""
        if self.script.post_norm == "torch":
            blocks = "torch.nn.TransformerEncoderLayer | torch.nn.TransformerDecoderLayer"
            stacks = "torch.nn.TransformerEncoder | torch.nn.TransformerDecoder"
            return (
                "# before the optimizer is created\n"
                f"for block in {self.model}.modules():\n"
                f"    if isinstance(block, {blocks}):\n"
                "        block.norm_first = True\n"
                f"    elif isinstance(block, {stacks}):\n"
                "        block.norm = torch.nn.LayerNorm(block.layers[0].norm1.normalized_shape)"
            )
        if self.script.post_norm == "own":
            return (
                "# in the forward() of a block, instead of x = norm(x + branch(x))\n"
                "x = x + branch(norm(x))\n"
                "# after the last block, with a norm of its own\n"
                "x = last_norm(x)"
            )
        return ""

    @property
    def norm(self) -> str:
        """Put a norm behind each hidden layer; empty if there is no place for one or the model has norms already."""
        kinds = [kind for _, kind in self.modules]
        if "Sigmoid" in self.script.functions:
            # A sigmoid's slope is 1/4 at most for any input, so a norm would not help.
            return ""
        if any("norm" in kind.lower() or "attention" in kind.lower() for kind in kinds):
            return ""
        if self.is_recurrent:
            return ""
        places = [(name, kind) for name, kind in self.modules if kind in NORMS][:-1]
        kind = places[0][1] if places else ""
        names = [name for name, one in places if one == kind and name]
        if len(names) < 2:
            return ""
        lines = ["# before the optimizer is created"]
        if len(names) <= MOST_NAMED:
            quoted = ", ".join(f'"{name}"' for name in names)
            lines.append(f"for name in [{quoted}]:")
        else:
            last = "[:-1]" if kind == [one for one in kinds if one in NORMS][-1] else ""
            lines += [
                f"names = [n for n, m in {self.model}.named_modules() if isinstance(m, torch.nn.{kind})]",
                f"for name in names{last}:",
            ]
        lines += [
            f"    layer = {self.model}.get_submodule(name)",
            f"    {self.model}.set_submodule(name, torch.nn.Sequential(layer, torch.nn.{NORMS[kind]}))",
        ]
        return "\n".join(lines)

    def path(self, name: str) -> str:
        """Return a module as the script writes it, such as net.blocks[3].attn."""
        parts = [part for part in name.split(".") if part]
        if any(not part.isdigit() and not _is_name(part) for part in parts):
            return f'{self.model}.get_submodule("{name}")'
        return self.model + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def _variable(name: str | None, otherwise: str) -> str:
    text = name or re.sub(r"\W", "_", otherwise)
    return text if _is_name(text) else "model"


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)
