"""Proves by content that nothing hidden is in the learners' edition, whatever a file is called.

Hidden is what stands between the solutions' markers, everything in the suites and in what only they
import, and the right answers that the tests keep. Of all that, the distinctive pieces (lines of code,
texts, names of mistakes, titles of tests) must occur in no file: not as text, not in JSON, base64 or an
archive.
"""

from __future__ import annotations

import ast
import base64
import binascii
import bz2
import gzip
import io
import itertools
import json
import lzma
import re
import tarfile
import textwrap
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grader.exercise import Exercise

_LONG = 30  # characters, squashed; shorter lines stand in many programs
_NAME = 9  # names of mistakes and titles of tests
# What the whole grader says, in a suite too.
_SHARED = ("Your code changed its input in place:", "axes of length 1", "no-gradient")
_DEPTH = 6
_MOST = 64 * 1024 * 1024
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]{48,}")
_PRINTABLE = re.compile(rb"[\x20-\x7e]{6,}")
_DROPPED = str.maketrans("", "", " \t\r\n\f\v'\"\\()")
_MARKED = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)
_SOUND = (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def squashed(text: str) -> str:
    """A text without what layout, escapes and ast.unparse add: blanks, quotes, backslashes, parentheses."""
    return text.replace("\\n", "").translate(_DROPPED)


class Hidden:
    """The distinctive pieces of everything hidden, each with where it is from."""

    def __init__(self) -> None:
        self.long: dict[str, dict[str, str]] = {}  # by their first characters
        self.names: dict[str, str] = {}

    def add_code(self, source: str, origin: str, *, pairs: bool = False) -> None:
        """Add the lines of Python source, as they stand and as ast.unparse writes them, and its texts.

        With `pairs` two lines after another are a piece as well: short ones are in many programs, but
        seldom together.
        """
        for lines in (_written(source), _unparsed(source).splitlines()):
            lines = [line for line in lines if not line.lstrip().startswith(("import ", "from ", "@"))]
            together = itertools.pairwise(lines) if pairs else ()
            for piece in [*lines, *map("".join, together)]:
                self._add(piece, origin)
        for text in _texts(source):
            self._add(text, origin)

    def add_name(self, name: str, origin: str) -> None:
        """Add a name that is hidden though it is short."""
        if len(name) >= _NAME and name not in _SHARED:
            self.names[name] = origin

    def _add(self, piece: str, origin: str) -> None:
        piece = squashed(piece)
        if len(piece) >= _LONG and piece not in map(squashed, _SHARED):
            self.long.setdefault(piece[:_LONG], {}).setdefault(piece, origin)

    def drop_public(self, texts: Iterable[str]) -> None:
        """Forget what may be read by everybody anyway."""
        for text in texts:
            for piece in self._pieces_in(squashed(text)):
                self.long[piece[:_LONG]].pop(piece, None)
            for name in [name for name in self.names if name in text]:
                del self.names[name]

    def _pieces_in(self, text: str) -> list[str]:
        found = []
        for start in range(len(text) - _LONG + 1):
            pieces = self.long.get(text[start : start + _LONG])
            if pieces:
                found += [piece for piece in pieces if text.startswith(piece, start)]
        return found

    def found_in(self, text: str) -> Iterator[str]:
        """Describe every hidden piece that occurs in a text."""
        for piece in dict.fromkeys(self._pieces_in(squashed(text))):
            yield f"{self.long[piece[:_LONG]][piece]}: {piece[:70]}"
        for name, origin in self.names.items():
            if name in text and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                yield f"{origin}: {name}"


def collect(root: Path, exercises: Iterable[Exercise], modules: Iterable[Path]) -> Hidden:
    """Collect what is hidden.

    Args:
        root: The project.
        exercises: All of them.
        modules: The files of the suites, and of what only the suites import.
    """
    hidden = Hidden()
    for path in sorted((root / "solutions").glob("*.py")):
        for part in _MARKED.findall(path.read_text(encoding="utf-8")):
            hidden.add_code(textwrap.dedent(part), f"{path.name}, solution", pairs=True)
    for path in modules:
        hidden.add_code(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
    for path in sorted((root / "tests" / "variants").glob("*/*.py")):
        hidden.add_code(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
    for exercise in exercises:
        for id in exercise.misconceptions:
            hidden.add_name(id, f"{exercise.name}, misconception")
        for check in exercise.checks:
            hidden.add_name(check.title, f"{exercise.name}, hidden test")
    return hidden


def findings(hidden: Hidden, files: Mapping[str, bytes]) -> list[str]:
    """List what of the hidden is in files, and files that could hide something: all must be plain text."""
    found = []
    for name, data in files.items():
        parts = Path(name).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts):
            found.append(f"{name}: a hidden file")
        if decoded(data) is None:
            found.append(f"{name}: not plain text")
        told: dict[str, None] = {}
        for text in texts_in(data):
            told.update(dict.fromkeys(hidden.found_in(text)))
        found += [f"{name} holds {what}" for what in told]
    return found


# What is in a file


def decoded(data: bytes) -> str | None:
    """The text of a file; None where it is none."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def texts_in(data: bytes, depth: int = 0) -> Iterator[str]:
    """Yield every text in a file: its own, code also unparsed, and that in JSON, base64 and archives."""
    if depth > _DEPTH:
        return
    text = decoded(data)
    if text is None:
        yield "\n".join(run.decode("ascii") for run in _PRINTABLE.findall(data))
        for inner in _unpacked(data):
            yield from texts_in(inner, depth + 1)
        return
    yield text
    yield _unparsed(text)
    for string in _json_strings(text):
        yield from texts_in(string.encode("utf-8", "replace"), depth + 1)
    for run in _BASE64.findall(text):
        for inner in _from_base64(run):
            yield from texts_in(inner, depth + 1)


def _json_strings(text: str) -> Iterator[str]:
    if not text.lstrip().startswith(("{", "[", '"')):
        return
    try:
        pending: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            yield "".join(value)  # a notebook's lines
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str) and len(value) >= _NAME:
            yield value


def _from_base64(run: str) -> Iterator[bytes]:
    packed = "".join(run.split()).rstrip("=")
    for alphabet in (b"+/", b"-_"):
        try:
            data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=alphabet, validate=True)
        except (binascii.Error, ValueError):
            continue
        if decoded(data) is not None or any(True for _ in _unpacked(data)):
            yield data
            return


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The members of an archive, or what was compressed."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) for name in archive.namelist())
            return
    except _SOUND:
        return
    for unpack in (gzip.decompress, bz2.decompress, lzma.decompress, zlib.decompress):
        try:
            found = unpack(data)
        except _SOUND:
            continue
        yield from _members(found[:_MOST])
        return
    if b"ustar" in data[:512]:
        yield from _members(data)


def _members(data: bytes) -> Iterator[bytes]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            files = [archive.extractfile(member) for member in archive.getmembers()]
            yield from (file.read() for file in files if file is not None)
    except _SOUND:
        yield data


# Python source


def _written(source: str) -> list[str]:
    """The lines of source that hold code, without comments; what holds a text alone is no code."""
    lines, code = source.splitlines(), set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            row, column = token.start
            if token.type == tokenize.COMMENT:
                lines[row - 1] = lines[row - 1][:column]
            elif token.type in (tokenize.NAME, tokenize.NUMBER):
                code.add(row - 1)
    except (tokenize.TokenError, SyntaxError):
        return lines
    return [line for number, line in enumerate(lines) if number in code]


def _unparsed(source: str) -> str:
    """Python source in the one layout that ast.unparse gives; "" for what is no Python."""
    lines = source.split("\n")
    if lines[0].startswith("%%"):
        lines[0] = ""
    try:
        tree = ast.parse("\n".join(lines))
        return ast.unparse(tree) if len(tree.body) > 1 or not _is_text(tree) else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _is_text(tree: ast.Module) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree.body)


def _texts(source: str) -> Iterator[str]:
    """The string constants of source, line by line."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.splitlines()
