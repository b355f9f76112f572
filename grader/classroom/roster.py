"""Reads who is in a class: a name a line, or a table with a header, as platforms save it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from grader.classroom.platforms import canonical

_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_FULL = ("name", "student", "full name", "student name")
_FIRST = ("first name", "firstname", "given name", "forename")
_LAST = ("surname", "last name", "lastname", "family name")


class RosterError(Exception):
    """A roster that cannot be read; the message says why."""


class Roster(NamedTuple):
    """The students' names, and of a table the columns that they are from."""

    names: list[str]
    columns: tuple[str, ...] = ()


def read_roster(path: Path) -> Roster:
    """Read a roster. Raises RosterError, and OSError where the file cannot be opened.

    Empty lines and those that begin with `#` are skipped.
    """
    lines = [line for line in _text(path.read_bytes()).splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith("#")]
    if not lines:
        return Roster([])
    for delimiter in (",", ";", "\t"):
        rows = _rows(lines, delimiter)
        titles = [canonical(title) for title in rows[0]]
        columns = _columns([title.casefold().replace("_", " ") for title in titles])
        if columns:
            joined = (" ".join(row[place] for place in columns if place < len(row)) for row in rows[1:])
            names = [canonical(name) for name in joined if name.strip()]
            return Roster(names, tuple(titles[place] for place in columns))
    return Roster([canonical(line) for line in lines])


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise RosterError(f"no list of names ({error})") from None


def _text(data: bytes) -> str:
    if data.startswith(_SPREADSHEETS):
        raise RosterError("this is a spreadsheet; save it as CSV or as text, a name a line")
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        if b"\0" in data:
            raise RosterError("this is no text; expected a name a line, or CSV with a header")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252")
    except UnicodeDecodeError:
        raise RosterError("its text cannot be read; save it as UTF-8") from None


def _columns(titles: Sequence[str]) -> tuple[int, ...]:
    """Where a table's header has the name, or its parts; () where it has none."""
    for title in _FULL:
        if title in titles:
            return (titles.index(title),)
    first = [titles.index(title) for title in _FIRST if title in titles]
    last = [titles.index(title) for title in _LAST if title in titles]
    return (first[0], last[0]) if first and last else ()
