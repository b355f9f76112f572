"""Reads a submission as text: Python files and notebooks. Never executes any of it."""

from __future__ import annotations

import ast
import codecs
import errno
import io
import json
import os
import re
import stat
import tokenize
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader import registry
from grader.forbidden import Use, bound_names, find_uses, parts_of
from grader.stubs import stub_from_solution

MAX_BYTES = 32 * 1024 * 1024  # a notebook may hold pictures
MAX_SOURCE = 64 * 1024  # far above any answer; parsing some texts takes the square of their size
MAX_NOTEBOOK = 4 * MAX_SOURCE
MAX_CELLS = 2000
MAGIC = "%%exercise"
_MOST_WORDS = 10  # of a cell's first line
# Others take quadratic time to decode, and no editor writes them.
_ENCODINGS = frozenset(
    ["utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "gbk", "gb2312", "gb18030", "big5"]
)


class SubmissionError(Exception):
    """A submission that cannot be graded as it is: the message tells the learner why, `kind` in a word."""

    def __init__(self, message: str, kind: str = "cannot be read") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Part:
    """A piece of source with the name that tracebacks show for it."""

    file: str
    text: str
    tree: ast.Module = field(repr=False, compare=False)


@dataclass(frozen=True)
class Source:
    """A submission's source: one part for a file, one per cell for a notebook."""

    parts: tuple[Part, ...]

    def pairs(self) -> list[list[str]]:
        """Return what the worker executes."""
        return [[part.file, part.text] for part in self.parts]

    def defined(self) -> set[str]:
        """Names bound at the top level."""
        return {name for part in self.parts for node in part.tree.body for name in bound_names(node)}

    def uses(self, forbidden: Sequence[str]) -> list[Use]:
        """Find uses of forbidden names."""
        return [use for part in self.parts for use in find_uses(part.file, part.tree, forbidden)]

    def is_untouched(self, implements: Sequence[str], stub: str) -> bool:
        """Whether every required definition is still as in the stub (comments and layout aside)."""
        theirs: dict[str, str] = {}
        for node in (node for part in self.parts for node in part.tree.body):
            # A name bound in any other way has been worked on.
            theirs.update(dict.fromkeys(bound_names(node), ""))
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in implements:
                theirs[node.name] = ast.dump(_undocumented(node))
        original = {
            node.name: ast.dump(_undocumented(node))
            for node in ast.parse(stub).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        return all(name in theirs and theirs[name] == original.get(name) for name in implements)


def _undocumented(node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
    """Return the definition without docstrings, which learners may shorten."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return node


def parse(file: str, text: str) -> Part:
    """Parse one piece of source. Raises SubmissionError that shows where it does not parse."""
    if len(text) > MAX_SOURCE:
        raise SubmissionError(f"{file} holds more than {MAX_SOURCE // 1024} KiB of code.")
    try:
        return Part(file, text, _tree(text, file))
    except SyntaxError as error:
        line = (error.text or "").rstrip()
        where = f"{file}, line {error.lineno}" if error.lineno else file
        kind = type(error).__name__
        shown = f"\n      {line.strip()}" if line else ""
        raise SubmissionError(f"{kind}: {error.msg}\n  {where}{shown}", "syntax error") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SubmissionError(f"{file} cannot be parsed: {error or type(error).__name__}") from None


def _tree(text: str, file: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would show the learner's text in the judge's terminal
        return ast.parse(text, file)


def _label(path: Path) -> str:
    """The file's name as text that can be printed and sent, whatever its bytes."""
    return path.name.encode("utf-8", "replace").decode()


def _decode(path: Path, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SubmissionError(f"{_label(path)} is UTF-16; expected UTF-8. Save it again as UTF-8.")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if codecs.lookup(encoding.removesuffix("-sig")).name not in _ENCODINGS:
            raise LookupError(f"the file says {encoding}")
        return data.decode(encoding)
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise SubmissionError(
            f"{_label(path)} is not readable as text: expected UTF-8 ({error}). Save it as UTF-8."
        ) from None


def read(path: Path, name: str, implements: Sequence[str]) -> Source:
    """Read a submission. Raises SubmissionError, and OSError where the file cannot be opened."""
    try:
        return _read(path, name, implements)
    except (RecursionError, MemoryError):
        raise SubmissionError(f"{_label(path)} is nested too deeply to be analysed.") from None


def _read(path: Path, name: str, implements: Sequence[str]) -> Source:
    data = _bytes(path)
    if len(data) > MAX_BYTES:
        raise SubmissionError(f"{_label(path)} is larger than {MAX_BYTES // 1024**2} MiB.")
    if not data.strip():
        expected = f"Expected it to define {_names(implements)}."
        raise SubmissionError(f"{_label(path)} is empty. {expected}", "empty file")
    text = _decode(path, data)
    if path.suffix.lower() == ".ipynb":
        parts = _notebook_parts(path, text, name, implements)
    else:
        parts = [parse(_label(path), text)]
    source = Source(tuple(parts))
    missing = [wanted for wanted in implements if wanted not in source.defined()]
    if missing:
        raise SubmissionError(f"{_label(path)} does not define {_names(missing)}.", "name missing")
    return source


def _bytes(path: Path) -> bytes:
    """Read a plain file. A pipe would keep us waiting; a link may lead to anything that we can read."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            kind = "a symbolic link" if path.is_symlink() else "no plain file"
            raise SubmissionError(f"{_label(path)} is {kind}; expected the file itself.") from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise SubmissionError(f"{_label(path)} is no plain file.")
    with open(number, "rb") as file:
        return file.read(MAX_BYTES + 1)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cells(path: Path, text: str) -> list[tuple[int, str]]:
    """Return (number as Jupyter counts cells, source) of a notebook's code cells."""
    try:
        cells = json.loads(text)["cells"]
        found = []
        for number, cell in enumerate(cells, start=1):
            source = cell["source"]
            if cell["cell_type"] == "code":
                found.append((number, source if isinstance(source, str) else "".join(source)))
        return found
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SubmissionError(
            f"{_label(path)} is not a readable notebook ({type(error).__name__}: {error})."
        ) from None


def marked_exercises(path: Path) -> list[int]:
    """Return which exercises a notebook's cells answer. Raises SubmissionError, and OSError."""
    data = _bytes(path)
    if len(data) > MAX_BYTES:
        raise SubmissionError(f"{_label(path)} is larger than {MAX_BYTES // 1024**2} MiB.")
    numbers = (_marked(source) for _, source in _cells(path, _decode(path, data)))
    return sorted({number for number in numbers if number is not None})


def _marked(cell: str) -> int | None:
    """Which exercise a cell answers, read as the notebook's magic does; a try answers none."""
    words = cell.lstrip().partition("\n")[0].split(maxsplit=_MOST_WORDS)
    if words[:1] != [MAGIC] or "--try" in words:
        return None
    return registry.number_in(" ".join(words[1:]))


def _notebook_parts(path: Path, text: str, name: str, implements: Sequence[str]) -> list[Part]:
    cells = _cells(path, text)
    if sum(len(source) for _, source in cells) > MAX_NOTEBOOK or len(cells) > MAX_CELLS:
        raise SubmissionError(f"{_label(path)} holds more code than any answer needs.")
    marked = []
    exercise = registry.number_in(name)
    for number, source in cells:
        if exercise is not None and _marked(source) == exercise:
            rest = source.lstrip().partition("\n")[2]
            # A blank line in the magic's place keeps line numbers as in the cell.
            marked.append(parse(f"{_label(path)} cell {number}", python_of("\n" + rest)))
    if marked:
        return marked
    parts = []
    for number, source in cells:
        try:
            parts.append(parse(f"{_label(path)} cell {number}", python_of(source)))
        except SubmissionError:
            if any(wanted in source for wanted in implements):
                raise
    needed = parts_of([part.tree for part in parts], implements)
    return [_only(part, tree) for part, tree in zip(parts, needed, strict=True) if tree.body]


def _only(part: Part, tree: ast.Module) -> Part:
    """Blank all lines but those of a tree's statements, so that line numbers stay."""
    lines = part.text.split("\n")
    kept = [""] * len(lines)
    on_line = Counter(number for node in part.tree.body for number in {node.lineno, node.end_lineno})
    for node in tree.body:
        decorators = [item.lineno for item in getattr(node, "decorator_list", [])]
        first = min([node.lineno, *decorators])
        last = node.end_lineno or node.lineno
        if on_line[node.lineno] > 1 or on_line[last] > 1:  # `a = 1; import b`: this statement alone
            kept[first - 1] = "; ".join(filter(None, [kept[first - 1], ast.unparse(node)]))
        else:
            kept[first - 1 : last] = lines[first - 1 : last]
    return Part(part.file, "\n".join(kept), tree)


_MAGIC_LINE = re.compile(r"^(\s*+)(?:[%!?].*|.*[^\s#]\?{1,2}|\w++\s*+=\s*+[%!].*)$")
_TRANSPARENT_MAGICS = ("%%time", "%%capture", "%%prun")


def python_of(cell: str) -> str:
    """Return a cell's Python: lines that are IPython's become `pass`. What parses stays as it is."""
    first, _, rest = cell.lstrip().partition("\n")
    if first.startswith("%%"):
        blank = "\n" * (cell[: len(cell) - len(cell.lstrip())].count("\n") + 1)
        return blank + python_of(rest) if first.startswith(_TRANSPARENT_MAGICS) else ""
    try:
        _tree(cell, "a cell")
    except (SyntaxError, ValueError):
        return "\n".join(_MAGIC_LINE.sub(r"\1pass", line) for line in cell.split("\n"))
    return cell


def stub_text(solution: Path) -> str:
    """Return the stub of a reference solution."""
    return stub_from_solution(solution.read_text(encoding="utf-8"))
