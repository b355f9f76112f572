"""Text of learners as it may stand in a terminal or a page: no character of it commands anything."""

from __future__ import annotations

import re

# Whole commands to a terminal go; of others the character that makes them one.
_COMMANDS = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)?"  # titles, links
)
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u2028\u2029"  # line ends that only some programs know
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these show text in another order
    "\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Return text without control characters but line feed and tab; other line ends become line feeds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _COMMANDS.sub("", text))


def one_line(text: str, longest: int = 200) -> str:
    """Return text as one line without control characters, cut where it is longer."""
    line = " ".join(plain(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
