"""Whose a folder or file is by its name, as Moodle, Canvas, Blackboard and people write names.

Moodle (mod/assign): `<name>_<participant>_assignsubmission_<plugin>`, a folder or before a file's own name.
Canvas (content_zipper): `<name>[_LATE]_<user>_<attachment>_<file>`; of anonymous assignments
`[LATE_]anon_<student>_<attachment>_<file>`.
Blackboard: `<column>_<username>_attempt_<date>[_<file>]`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import groupby, takewhile
from typing import NamedTuple

_NUMBERED = r"(?:exc?er[cs]i[cs]es?|(?<![^\W\d_])ex)[ _.#-]*0*(?P<number>\d{1,2})(?!\d)"
_EXERCISE = re.compile(_NUMBERED, re.IGNORECASE)
_MOODLE = re.compile(
    r"^(?P<student>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<plugin>[a-z]+)(?:_(?P<file>.*))?$", re.DOTALL
)
_CANVAS = re.compile(
    r"^(?P<student>.+?)(?:_LATE|_late)?_(?P<id>\d+)_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<typed>(?:text|link)\.html))$",
    re.DOTALL,
)
_CANVAS_ANONYMOUS = re.compile(
    r"^(?:LATE_)?anon_(?P<id>[A-Za-z0-9]+)(?:_LATE)?_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?P<typed>(?:text|link)\.html))$",
    re.DOTALL,
)
_BLACKBOARD = re.compile(
    r"^(?P<head>.+?)_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|(?P<suffix>\.\w+))$", re.DOTALL
)
_PLAIN = re.compile(rf"^(?P<student>.+?)[ _-]+(?P<file>{_NUMBERED}.*)$", re.IGNORECASE | re.DOTALL)
_ANONYMOUS = "Participant"  # as Moodle calls all students of an anonymous assignment


class Owner(NamedTuple):
    """Whose something is: two owners are two students, also of one name."""

    name: str
    id: str = ""  # which tells students of one name apart


class Told(NamedTuple):
    """What a name tells: the owner, the file as they named it, and which of two is newer."""

    owner: Owner
    file: str
    when: str = ""
    attachment: int = 0
    id: str = ""  # what the platform calls the student


def readable(name: str) -> str:
    """Return a file's name as text that can be stored and shown, whatever its bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def canonical(name: str) -> str:
    """Return a student's name in the one way of writing it that we compare and show."""
    composed = unicodedata.normalize("NFC", readable(name)).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(composed.split()) or "_"


def exercise_number(file: str) -> int | None:
    """Return the exercise that a file's own name says: `exercise_03.py`, `Ex 3.ipynb`, `03.py`."""
    stem = os.path.splitext(file)[0]
    named = [match["number"] for match in _EXERCISE.finditer(stem)]
    if named:
        return int(named[-1])
    return int(stem) if re.fullmatch(r"0*[0-9]{1,2}", stem) else None


def of_folder(name: str) -> Told:
    """Return whose a folder is: a platform's student, or one of that name."""
    return _of_moodle(name) or Told(_plain(name), "")


def of_file(name: str, usernames: dict[str, str]) -> Told | None:
    """Return whose a file is; None when nobody can tell. `usernames`: see there."""
    if told := _of_moodle(name):
        return told
    if (match := _BLACKBOARD.match(name)) and match["head"] in usernames:
        username = canonical(usernames[match["head"]])
        return Told(Owner(username), match["file"] or match["suffix"], match["when"], id=username)
    if told := _of_canvas(name):
        return told
    match = _PLAIN.match(name)
    if match and not _EXERCISE.fullmatch(match["student"]):
        return Told(_plain(match["student"]), match["file"])
    if name.lower().endswith(".zip"):
        return Told(_plain(name[:-4]), name)
    return None


def is_platforms(name: str, *, is_folder: bool) -> bool:
    """Whether a platform gave this name, which then tells whose it is. Only Moodle makes folders."""
    patterns = (_MOODLE,) if is_folder else (_MOODLE, _CANVAS_ANONYMOUS, _CANVAS, _BLACKBOARD)
    return any(pattern.match(name) for pattern in patterns)


def _plain(name: str) -> Owner:
    # The bytes of two names that are no text may differ where what is shown of them does not.
    return Owner(unicodedata.normalize("NFC", name) if readable(name) != name else canonical(name))


def _of_moodle(name: str) -> Told | None:
    match = _MOODLE.match(name)
    if not match:
        return None
    student, id = canonical(match["student"]), match["id"] or ""
    owner = Owner(f"{student} {id}") if student == _ANONYMOUS and id else Owner(student, id)
    return Told(owner, match["file"] or "", id=id)


def _of_canvas(name: str) -> Told | None:
    if match := _CANVAS_ANONYMOUS.match(name):
        owner = Owner(f"anon {match['id']}")
    elif match := _CANVAS.match(name):
        owner = Owner(canonical(match["student"]), match["id"])
    else:
        return None
    return Told(owner, match["file"] or match["typed"], "", int(match["attachment"] or 0), match["id"])


def usernames(names: Iterable[str]) -> dict[str, str]:
    """Find the usernames in Blackboard's names, where both columns and usernames may hold a `_`.

    What all names of a column begin with is the column; of a single student the last part is the username.
    Two of one column, or of columns that we cannot tell apart, never get the same.

    Args:
        names: All names of a class.

    Returns:
        The username for what stands before `_attempt_`.
    """
    names = list(names)
    if any(_of_canvas(name) and not _BLACKBOARD.match(name) for name in names):
        # Canvas's class: a file's own name in it must not make it another's.
        names = [name for name in names if not _of_canvas(name)]
    heads = sorted({match["head"] for name in names if (match := _BLACKBOARD.match(name))})
    found: dict[str, str] = {}
    for _, group in groupby(heads, key=lambda head: head.partition("_")[0]):
        parts = [head.split("_") for head in group]
        shared = len(list(takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))))
        shared = min(shared, *(len(one) - 1 for one in parts))
        found.update({"_".join(one): "_".join(one[shared:]) for one in parts})
    rests: dict[str, set[str]] = {}
    for head, username in found.items():
        rests.setdefault(username, set()).add(head.partition("_")[2] or head)
    if any(len(several) > 1 for several in rests.values()):
        return {head: head.partition("_")[2] or head for head in heads}
    return found


def student_names(owners: Iterable[Owner]) -> dict[Owner, str]:
    """Name students: of several with one name each gets its id, whoever else is there; else a number."""
    wanted = {owner: canonical(owner.name) for owner in owners}
    count = Counter(wanted.values())
    names: dict[Owner, str] = {}
    taken: set[str] = set()
    for owner in sorted(wanted, key=lambda one: (bool(one.id) and count[wanted[one]] > 1, one)):
        name = wanted[owner]
        if owner.id and count[name] > 1:
            name = f"{name} {owner.id}"
        number, unique = 1, name
        while unique in taken:
            number += 1
            unique = f"{name} #{number}"
        taken.add(unique)
        names[owner] = unique
    return names
