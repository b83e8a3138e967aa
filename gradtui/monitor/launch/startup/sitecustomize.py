"""Detect the first step of each optimizer; Python runs this file when it starts under `gradtui watch`.

It uses only the standard library, and imports nothing of gradtui before a backward pass or that step, so that a process
that never trains loses no time. The person's own sitecustomize runs afterwards, as it would without this one.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys

# This is only for type checkers, since importing typing would cost every process milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(FOLDER))))
MODULE = "torch.optim.optimizer"
"""The module whose import is waited for: it has the optimizers' base class, and the hooks on all their steps."""


class Finder:
    """A Finder finds the module by the other finders, and makes its loading call `hook`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec that the other finders give, with a loader that calls `hook`; None for other modules."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        for finder in list(sys.meta_path):
            spec: Any = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Loader(spec.loader)
                return spec
        return None


class Loader:
    """A Loader loads the module by its own loader, restores that loader, and calls `hook`."""

    def __init__(self, loader: Any) -> None:
        """Take the module's own loader."""
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        """Return the result of the module's own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """Load the module."""
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        hook(module)


def hook(module: Any) -> None:
    """Make every optimizer call `before_step` before each of its steps."""
    try:
        module.register_optimizer_step_pre_hook(before_step)
        wrap_backward()
    except Exception as error:
        say(f"this version of PyTorch cannot be watched: {error}")


early: Any = None
"""The EarlyPasses of this process: what was measured before an optimizer's first step."""


def wrap_backward() -> None:
    """Measure the first backward passes, since a script may clip their gradients before an optimizer's first step."""
    import torch.autograd

    original: Any = torch.autograd.backward
    failed = False

    def backward(*args: Any, **kwargs: Any) -> Any:
        global early
        nonlocal failed
        if failed or (early is not None and early.over):
            return original(*args, **kwargs)
        try:
            with beginning:
                # Of threads that train at once only the first makes it: they share what is measured.
                if early is None:
                    early = load("gradtui.monitor.launch.early_passes").EarlyPasses()
                    atexit.register(say_if_no_step)
            early.begin(args, kwargs)
        except Exception:
            failed = True
            return original(*args, **kwargs)
        try:
            return original(*args, **kwargs)
        finally:
            early.end()

    backward.__name__ = "backward"
    backward.__doc__ = original.__doc__
    # As `monitor.untraced.left_alone` does, which would have to be imported.
    backward._torchdynamo_disable = True  # type: ignore[attr-defined]
    frames: Any = torch._C._dynamo.eval_frame
    skip, usual = frames._FrameAction.SKIP, frames._FrameAction.DEFAULT
    frames.set_code_exec_strategy(backward.__code__, frames._FrameExecStrategy(skip, usual))
    torch.autograd.backward = backward


def say_if_no_step() -> None:
    """Say on a terminal at the end why nothing was recorded, if there were gradients but no step."""
    if before_optimizer_step is begin and sys.stderr is not None and sys.stderr.isatty():
        say(
            "nothing was recorded, because no PyTorch optimizer took a step. A script that moves its "
            "weights itself can call probe = gradtui.watch(model), and probe.step() after each "
            "backward()"
        )


def before_step(optimizer: Any, args: Any, kwargs: Any) -> Any:
    """Pass a step on to the recording; do nothing in a compiled step, so that this is not compiled into it."""
    import torch

    if torch.compiler.is_compiling():
        return None
    return before_optimizer_step(optimizer, args, kwargs)


beginning = _thread.RLock()
"""Held while the recording is imported: another thread that trains waits, or its steps would not be recorded."""


def begin(optimizer: Any, args: Any, kwargs: Any) -> Any:
    """Import the recording, and give it the first step of this process."""
    global before_optimizer_step
    with beginning:
        if before_optimizer_step is begin:
            act = nothing
            try:
                act = load("gradtui.monitor.launch.beginning").steps_of(OPTIONS, early).before_step
            except Exception as error:
                say(f"this training is not recorded, because {sys.executable} cannot import gradtui: {error}")
            before_optimizer_step = act
    return before_optimizer_step(optimizer, args, kwargs)


def nothing(optimizer: Any, args: Any, kwargs: Any) -> Any:
    """Do nothing, so that the step is not recorded."""


before_optimizer_step = begin


def load(name: str) -> Any:
    """Import a module of gradtui. Raises ImportError where gradtui is not installed."""
    from importlib import import_module

    # In a checkout that is not installed, gradtui is in a folder above this file. But the site-packages of another
    # Python must not get on the path.
    beside = os.path.basename(ROOT) not in ("site-packages", "dist-packages") and ROOT not in sys.path
    if beside:
        sys.path.append(ROOT)
    try:
        return import_module(name)
    finally:
        if beside:
            sys.path.remove(ROOT)


def say(text: str) -> None:
    """Print one line to stderr."""
    print(f"gradtui: {text}", file=sys.stderr)


def run_own_sitecustomize() -> None:
    """Run the sitecustomize that Python would have run without this one, if it exists."""
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != FOLDER]
    this = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        if this is not None:
            sys.modules["sitecustomize"] = this


OPTIONS = os.environ.get("GRADTUI_WATCH", "")
if OPTIONS:
    if MODULE in sys.modules:
        hook(sys.modules[MODULE])
    else:
        sys.meta_path.insert(0, Finder())
    run_own_sitecustomize()
