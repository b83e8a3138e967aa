"""Test rules for the source that no linter checks."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "gradtui"
MOST_LINES = 400
NO_VERBS = {
    "A", "All", "An", "Both", "Each", "Every", "For", "From", "How", "If", "In", "Its", "No", "Of", "One", "Several",
    "Some", "That", "The", "These", "This", "Those", "What", "Where", "Whether", "Which",
}  # fmt: skip
"""First words of a text that is not a sentence in the imperative."""


def constants(tree: ast.Module) -> list[str]:
    """Return the constants that a module assigns, each as often as it does."""
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return [name for name in names if name.isupper()]


def unfilled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Constant]:
    """Yield the texts of a function that name one of its variables in braces, and lack the f that fills it in."""
    nodes = list(ast.walk(function))
    texts = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    named = {text: set(re.findall(r"\{(?:[a-z_]+\()?([a-z_]+)[^{}]*\}", text.value)) for text in texts}
    if not any(named.values()):
        return
    known = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    filled = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    yield from (text for text, names in named.items() if names & known and text not in filled)


def faults_of(module: Path) -> Iterator[str]:
    """Yield what breaks a rule in a module."""
    text = module.read_text()
    tree = ast.parse(text)
    if text.count("\n") > MOST_LINES:
        yield f"has more than {MOST_LINES} lines"
    yield from (
        f"assigns {name} {times} times" for name, times in Counter(constants(tree)).items() if times > 1
    )
    for node in ast.walk(tree):
        doc = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        if doc and doc.split()[0] in NO_VERBS:
            yield f"line {node.lineno}: the text {doc.splitlines()[0]!r} does not begin with a verb"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (f"line {text.lineno}: {text.value!r} lacks an f" for text in unfilled(node))


def test_modules_are_short_assign_constants_once_say_what_functions_do_and_fill_their_texts() -> None:
    modules = sorted(PACKAGE.rglob("*.py"))
    assert modules
    assert [
        f"{module.relative_to(PACKAGE)} {fault}" for module in modules for fault in faults_of(module)
    ] == []
