"""Makes the learner's stub from a reference solution."""

from __future__ import annotations

import ast
import re
import textwrap

_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"
_ALMOST_MARKER = re.compile(r"#\s*(BEGIN|END)\s+SOLUTION", re.IGNORECASE)
_STUB_LINE = 'raise NotImplementedError("Write this part.")'
_HELPERS_LINE = "# Your own helpers, if you want any, go here."


def _only_definitions(lines: list[str]) -> bool:
    try:
        body = ast.parse(textwrap.dedent("\n".join(lines))).body
    except SyntaxError:
        return False
    return bool(body) and all(isinstance(node, ast.FunctionDef) for node in body)


def stub_from_solution(source: str, name: str = "solution") -> str:
    """Replace every part between the solution markers by a line that raises.

    Args:
        source: the text of a reference solution.
        name: what to call it in messages.

    Returns:
        The learner's stub: the same text, with `raise NotImplementedError` at the indentation of
        the markers in the place of each marked part; a comment where the part holds nothing but
        helper functions, which a learner may or may not want.

    Raises:
        ValueError: markers are missing, unbalanced, nested or misspelt, or the stub does not
            parse; the message names the line.
    """
    kept: list[str] = []
    begin: tuple[int, str] | None = None  # line and indentation of the part that is open
    marked: list[str] = []
    parts = 0
    for number, line in enumerate(source.splitlines(), start=1):
        where, text = f"{name}, line {number}", line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if text == _BEGIN:
            if begin:
                raise ValueError(f"{where}: the part that begins in line {begin[0]} is still open")
            begin = number, indent
        elif text == _END:
            if not begin:
                raise ValueError(f"{where}: '{_END}' without '{_BEGIN}'")
            if indent != begin[1]:
                raise ValueError(f"{where}: not indented like its begin in line {begin[0]}")
            kept.append(indent + (_HELPERS_LINE if _only_definitions(marked) else _STUB_LINE))
            begin, parts, marked = None, parts + 1, []
        elif _ALMOST_MARKER.search(line):
            raise ValueError(f"{where}: expected '{_BEGIN}' or '{_END}'. Received {text!r}")
        elif begin:
            marked.append(line)
        else:
            kept.append(line)
    if begin:
        raise ValueError(f"{name}, line {begin[0]}: '{_BEGIN}' without '{_END}'")
    if not parts:
        raise ValueError(f"{name}, line 1: no '{_BEGIN}' in the file")
    stub = "\n".join(kept) + "\n"
    try:
        ast.parse(stub)
    except SyntaxError as error:
        raise ValueError(f"{name}: line {error.lineno} of its stub: {error.msg}") from None
    return stub
