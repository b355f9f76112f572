"""Finds forbidden names in source text, and the part of a notebook that an exercise needs."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Use:
    """One use of a forbidden name."""

    file: str
    line: int
    name: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.name}"


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Map local names to the dotted names that imports gave them."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.split(".")[0]
                found[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, dotted = node.targets[0], _dotted(node.value, found)
            if isinstance(target, ast.Name) and dotted and "." in dotted:
                found[target.id] = dotted
    return found


def _dotted(node: ast.AST, aliases: dict[str, str], known: dict[ast.AST, str] | None = None) -> str:
    """Return the dotted name an expression stands for; "" when it is none.

    `known` remembers those of a tree: every part of a chain of attributes is asked for.
    """
    if known is None:
        known = {}
    if node not in known:
        known[node] = _name_of(node, aliases, known)
    return known[node]


def _name_of(node: ast.AST, aliases: dict[str, str], known: dict[ast.AST, str]) -> str:
    if isinstance(node, ast.Name):
        return aliases.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, aliases, known)
        # No forbidden name is that long; a chain of aliases would grow without end.
        return f"{owner}.{node.attr}" if owner and len(owner) < _LONGEST_NAME else ""
    is_getattr = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr"
    if is_getattr and isinstance(node, ast.Call) and len(node.args) >= 2:
        owner, name = _dotted(node.args[0], aliases, known), node.args[1]
        if owner and isinstance(name, ast.Constant) and isinstance(name.value, str):
            return f"{owner}.{name.value}"
    return ""


def _canonical(dotted: str) -> str:
    """Undo the names under which TensorFlow and Keras offer the same things twice."""
    prefixes = ("keras._tf_keras.keras.", "tensorflow.keras.", "tf_keras.", "keras.api.", "keras.src.")
    for prefix in prefixes:
        if dotted.startswith(prefix):
            return "keras." + dotted.removeprefix(prefix)
    return dotted


def _names(tree: ast.AST, aliases: dict[str, str]) -> Iterator[tuple[int, str]]:
    known: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Attribute | ast.Call):
            dotted = _dotted(node, aliases, known)
            if dotted:
                yield node.lineno, dotted
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in aliases:
                yield node.lineno, aliases[node.id]


def find_uses(file: str, tree: ast.AST, forbidden: Sequence[str]) -> list[Use]:
    """Find where a tree uses names that match the patterns, one use per line and name."""
    aliases = _aliases(tree)
    found: dict[int, Use] = {}
    for line, dotted in _names(tree, aliases):
        name = _canonical(dotted)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in forbidden):
            found.setdefault(line, Use(file, line, name))
    return [found[line] for line in sorted(found)]


def bound_names(node: ast.stmt) -> set[str]:
    """Names that a top-level statement binds or changes, also inside its blocks (if, try, for, with)."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    found: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        inner = todo.pop()
        if inner is not node and isinstance(
            inner, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef | ast.Import | ast.ImportFrom
        ):
            found |= bound_names(inner)
            continue
        if isinstance(inner, ast.Lambda):
            continue
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
        elif isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            base: ast.AST = inner
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name):
                found.add(base.id)
        todo.extend(ast.iter_child_nodes(inner))
    return found


def parts_of(trees: Sequence[ast.Module], wanted: Sequence[str]) -> list[ast.Module]:
    """Keep of each tree the statements that bind what `wanted` needs: imports, definitions, constants.

    A notebook's plots, experiments and prints stay out. A name bound several times keeps all its
    statements, in order, so that the last one wins as it would in the notebook.
    """
    binders: dict[str, list[ast.stmt]] = {}
    keep: set[int] = set()
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                keep.add(id(node))  # it may bind anything
            for name in bound_names(node):
                binders.setdefault(name, []).append(node)
    todo = [name for name in wanted if name in binders]
    seen = set(todo)
    while todo:
        for node in binders[todo.pop()]:
            keep.add(id(node))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and inner.id in binders and inner.id not in seen:
                    seen.add(inner.id)
                    todo.append(inner.id)
    return [ast.Module([node for node in tree.body if id(node) in keep], type_ignores=[]) for tree in trees]
