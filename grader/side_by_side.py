"""Shows a learner's code and the reference solution beside each other."""

from __future__ import annotations

import ast
import html
import io
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table

from grader.exercise import Exercise
from grader.terminal import console

_WIDE = 150  # columns that hold two pieces of code beside each other
_MARKERS = ("### BEGIN SOLUTION", "### END SOLUTION")


def definition(source: str, name: str) -> str:
    """Return the last definition of a function or class, "" where there is none."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return ""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    found = [node for node in body if isinstance(node, kinds) and node.name == name]
    if not found:
        return ""
    node = found[-1]
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def pieces(exercise: Exercise, mine: str, reference: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, the learner's code and the reference for everything that is to be implemented."""
    lines = [line for line in reference.splitlines() if line.strip() not in _MARKERS]
    for name in exercise.implements:
        yield name, definition(mine, name), definition("\n".join(lines), name)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def show(exercise: Exercise, mine: Path, reference: Path, out: Console | None = None) -> None:
    """Print both, beside each other where the terminal is wide enough; a pipe gets the solution's file."""
    out = out or console()
    if not out.is_terminal:
        out.file.write(_read(reference))
        return
    for name, left, right in pieces(exercise, _read(mine), _read(reference)):
        own, model = _code(left or "# not written yet"), _code(right)
        if out.width >= _WIDE:
            table = Table(box=None, expand=True, padding=(0, 1))
            table.add_column(f"your {escape(name)}", ratio=1)
            table.add_column("the solution", ratio=1)
            table.add_row(own, model)
            out.print(table)
        else:
            out.print(Rule(f"your {escape(name)}"), own, Rule("the solution"), model)
    where = f"The whole file, with its imports and helpers: {reference}"
    out.print(f"[dim]{escape(where)}[/]")


def _code(text: str) -> Syntax:
    return Syntax(text, "python", theme="ansi_dark", word_wrap=True, background_color="default")


def _half(title: str, code: str) -> str:
    return f"<div><b>{html.escape(title)}</b><pre>{html.escape(code)}</pre></div>"


class SolutionCard:
    """Both as a notebook shows them."""

    def __init__(self, exercise: Exercise, mine: Path, reference: Path) -> None:
        self.exercise = exercise
        self.mine = mine
        self.reference = reference

    def __repr__(self) -> str:
        stream = io.StringIO()
        show(self.exercise, self.mine, self.reference, console(stream))
        return stream.getvalue()

    def _repr_html_(self) -> str:
        from grader.card import page

        rows = [
            _half(f"your {name}", left or "# not written yet") + _half("the solution", right)
            for name, left, right in pieces(self.exercise, _read(self.mine), _read(self.reference))
        ]
        title = html.escape(f"{self.exercise.name}: {self.exercise.title}")
        return page(f'<h4>{title}</h4><div class="beside">{"".join(rows)}</div>')
