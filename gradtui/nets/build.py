"""Build the torch module of an experiment's net from its plan."""

from __future__ import annotations

import torch
from torch import nn

from gradtui.experiment.layers import (
    Activate,
    Attend,
    BlockPlan,
    Branch,
    LayerPlan,
    Norm,
    Operation,
    View,
)
from gradtui.experiment.net_plan import net_plan
from gradtui.experiment.recorded_shape import DataShape
from gradtui.experiment.spec import Experiment, Group
from gradtui.nets.activations import make_activation, make_norm
from gradtui.nets.blocks import (
    Attention,
    AttentionBlock,
    Block,
    GlobalAverage,
    Highway,
    LastStep,
    Pixels,
    Positions,
    Residual,
    ReZero,
    Rows,
    Steps,
)
from gradtui.nets.net import Layer, Net
from gradtui.nets.recurrent import make_recurrent
from gradtui.nets.weights import make_embedding, make_weights

VIEWS = {
    "flatten": nn.Flatten,
    "rows": Rows,
    "pixels": Pixels,
    "average": GlobalAverage,
    "last": LastStep,
}


def build(exp: Experiment, shape: DataShape, *, generator_seed: int) -> Net:
    """Return the net of a valid experiment for examples of `shape`, in float32 on the CPU.

    The weights depend only on `generator_seed`; torch's global generator is neither read nor advanced.
    """
    return _Builder(torch.Generator().manual_seed(generator_seed)).net(exp, shape)


class _Builder:
    """A _Builder makes the modules in forward order; a block's gate and projection are drawn after its branch."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self.parts: Steps = []
        self.layers: list[Layer] = []
        self._views: list[nn.Module] = []

    def net(self, exp: Experiment, shape: DataShape) -> Net:
        """Return the whole net."""
        plan = net_plan(exp, shape)
        if plan.embedding:
            embedding = make_embedding(plan.embedding.weights, self.generator)
            self.parts.append(("embedding", embedding))
            self._add("embedding", plan.embedding, [embedding])
        number = 0
        for group in plan.groups:
            if group.view:
                # Its name in the state dict is `flatten` before all blocks, elsewhere such as `average3` or `last3`.
                view = self._module(group.view)
                self.parts.append((f"{group.view.kind}{number or ''}", view))
                self._views.append(view)
            for block in group.blocks:
                number += 1
                self.parts += self._block(group.group, block, f"{group.group.block}{number}")
        names = {Norm: "closing_norm", Activate: "closing_activation"}
        closing = []
        for operation in plan.output.operations:
            module = self._module(operation)
            if isinstance(operation, View):
                self.parts.append((f"{operation.kind}{number}", module))
                self._views.append(module)
            else:
                self.parts.append((names.get(type(operation), "output"), module))
                closing.append(module)
        self._add("output", plan.output, closing)
        return Net(self.parts, self.layers)

    def _block(self, group: Group, block: BlockPlan, name: str) -> Steps:
        """Return a block, after the projection of a transformer block's input and the positions."""
        if group.block != "attention":
            return [(name, self._stack(group, block.branches[0], name))]
        before: Steps = []
        if block.input:
            before.append((f"{name}_input", self._module(block.input.weights)))
            self._add(f"{name}.input", block.input, [before[0][1]])
        if block.positions:
            before.append(("positions", Positions(*block.gives)))
        return [*before, (name, self._attention(group, block, name))]

    def _stack(self, group: Group, branch: Branch, name: str) -> Block:
        """Return a dense, convolutional or recurrent block."""
        steps: Steps = []
        behind: list[nn.Module] = []
        for number, layer in enumerate(branch.layers, 1):
            made = [self._module(operation) for operation in layer.operations]
            behind = [self._module(operation) for operation in layer.behind]
            for operation, module in zip(layer.operations, made, strict=True):
                what = {Norm: "norm", Activate: "activation"}.get(type(operation), "weights")
                steps.append((f"{what}{number}", module))
            self._add(name + layer.suffix, layer, made + behind)
        last = self.layers[-1]
        gate, projection = (
            self._beside(name, layer) if layer else None for layer in (branch.gate, branch.projection)
        )
        if branch.shortcut == "none":
            return Block(steps)
        block: Block
        if branch.shortcut == "identity":
            block = Residual(steps, projection, behind[0] if behind else None, branch.gain)
        elif gate is not None:
            block = Highway(steps, projection, gate)
        else:
            block = ReZero(steps, projection)
            last.parameters.append(block.alpha)
        last.path.append(block)
        return block

    def _beside(self, name: str, layer: LayerPlan) -> nn.Module:
        module = self._module(layer.weights)
        self._add(name + layer.suffix, layer, [module])
        return module

    def _attention(self, group: Group, block: BlockPlan, name: str) -> AttentionBlock:
        modules: dict[str, nn.Module] = {}
        for number, branch in enumerate(block.branches, 1):
            names = {Norm: f"norm{number}", Activate: "activation", Attend: "attention"}
            for layer in branch.layers:
                made = []
                for operation in (*layer.operations, *layer.behind):
                    made.append(self._module(operation))
                    modules[names.get(type(operation), layer.suffix[1:])] = made[-1]
                self._add(name + layer.suffix, layer, made)
        made_block = AttentionBlock(modules, post=group.order == "post", shortcut=group.shortcut)
        if made_block.alpha is not None:
            self.layers[-1].parameters.append(made_block.alpha)
        return made_block

    def _module(self, operation: Operation) -> nn.Module:
        match operation:
            case Norm():
                return make_norm(operation)
            case Activate():
                return make_activation(operation.name, operation.slope)
            case Attend():
                return Attention(operation.heads, operation.causal)
            case View():
                view: nn.Module = VIEWS[operation.kind]()
                return view
        if operation.recurrence:
            return make_recurrent(operation, self.generator)
        return make_weights(operation, self.generator)

    def _add(self, name: str, layer: LayerPlan, modules: list[nn.Module]) -> None:
        """Register a layer with the modules of its operations, except views."""
        operations = [o for o in (*layer.operations, *layer.behind) if not isinstance(o, View)]
        weights, activation, function = modules[0], None, "identity"
        for operation, module in zip(operations, modules, strict=True):
            if operation is layer.weights:
                weights = module
            elif isinstance(operation, Activate):
                activation, function = module, operation.name
        if recurrence := layer.weights.recurrence:
            activation = weights
            function = recurrence.activation.name if recurrence.activation else "tanh"
        ordered = [weights, *(module for module in modules if module is not weights)]
        parameters = [parameter for module in ordered for parameter in module.parameters()]
        path, self._views = [*self._views, *modules], []
        self.layers.append(Layer(name, layer.kind, parameters, weights, activation, function, path))
