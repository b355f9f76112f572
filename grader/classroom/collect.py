"""Finds what a class handed in: a folder for each student, flat files, or a zip, as platforms write them.

Nothing is followed that leads elsewhere (links), nothing is unpacked beyond bounds, and no name is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from grader.classroom.unpack import UnpackError, unpack
from grader.sources import MAGIC, MAX_BYTES

_SUFFIXES = (".py", ".ipynb")
_EXERCISE = re.compile(r"(?:exercise|ex)[ _-]*(\d{1,2})(?!\d)", re.IGNORECASE)
_DEPTH = 4  # folders below a student's that are looked into
# What platforms add to a student's folder (Moodle), or put before a file's name (Canvas, Blackboard).
_MOODLE = re.compile(r"^(?P<student>.+?)_(?P<id>\d+)_assignsubmission_\w*$")
_CANVAS = re.compile(r"^(?P<student>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<file>.+)$")
_BLACKBOARD = re.compile(r"^.+?_(?P<student>[^_]+)_attempt_(?P<when>[\d-]+)_(?P<file>.+)$")
_PLAIN = re.compile(r"^(?P<student>.+?)[ _-]+(?P<file>(?:exercise|ex)[ _-]*\d{1,2}.*)$", re.IGNORECASE)
_IGNORED = frozenset(["__MACOSX", "__pycache__", "node_modules"])


@dataclass(frozen=True)
class Submission:
    """One student's file for one exercise. `problem` says why it cannot be graded, where it cannot."""

    student: str
    exercise: int
    path: Path
    file: str  # as reports show it
    problem: str = ""

    @property
    def digest(self) -> str:
        """A fingerprint of what was handed in."""
        if self.problem:
            return hashlib.sha256(self.problem.encode()).hexdigest()
        try:
            with self.path.open("rb") as opened:
                return hashlib.sha256(opened.read(MAX_BYTES + 1)).hexdigest()
        except OSError:
            return ""


class Aside(NamedTuple):
    """A file that was not graded, whose it is ("" when nobody can tell), and why."""

    student: str
    file: str
    why: str


@dataclass
class Class:
    """What was handed in: submissions, all students there are, and what was left aside and why.

    `ids` are what the platform calls students, by their names here; not every platform says it.
    """

    submissions: list[Submission] = field(default_factory=list)
    students: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)


def readable(name: str) -> str:
    """Return a file's name as text that can be stored and shown, whatever its bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def collect(
    given: Path,
    scratch: Path,
    known: Collection[int],
    only: Collection[int] = (),
    roster: Collection[str] = (),
) -> Class:
    """Find every submission.

    Args:
        given: A folder or a zip file.
        scratch: A folder for what is unpacked.
        known: The exercises there are.
        only: Exercises that are wanted; all when empty.
        roster: Students who should have handed in something.

    Raises:
        UnpackError: The zip file is none, or is a bomb.
    """
    root = unpack(given, scratch / "class", whole_class=True) if given.is_file() else given
    found = Class(students=set(roster))
    candidates: dict[tuple[str, int], list[tuple[tuple[object, ...], Submission]]] = {}
    for student, order, path in _files(root, scratch, found):
        shown = readable(str(_relative(path, root, scratch)))
        numbers = _exercises(path)
        if not numbers:
            why = "no exercise's number in its name, and no %%exercise cell"
            found.aside.append(Aside(student, shown, why))
        for number in numbers:
            if number not in known:
                found.aside.append(Aside(student, shown, f"there is no exercise {number}"))
            elif not only or number in only:
                made = Submission(student, number, path, shown, _problem(path))
                candidates.setdefault((student, number), []).append((order, made))
    for several in candidates.values():
        several.sort(key=lambda one: one[0])
        found.submissions.append(several[-1][1])
        newest = several[-1][1].file
        found.aside += [Aside(older.student, older.file, f"{newest} is newer") for _, older in several[:-1]]
    found.submissions.sort(key=lambda one: (one.exercise, one.student))
    return found


def _relative(path: Path, root: Path, scratch: Path) -> Path:
    """A file's place in the class, or in the zip file it came in."""
    if path.is_relative_to(root):
        return path.relative_to(root)
    return Path(*path.relative_to(scratch).parts[1:])


def _files(root: Path, scratch: Path, found: Class) -> Iterator[tuple[str, tuple[object, ...], Path]]:
    """Yield (student, what newer files have more of, path)."""
    entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    folders = [
        entry for entry in entries if entry.is_dir(follow_symlinks=False) and not _ignored(entry.name)
    ]
    names = _student_names([entry.name for entry in folders])
    for entry in folders:
        student = names[entry.name]
        found.students.add(student)
        for path in _walk(Path(entry.path), student, scratch, found):
            yield student, (_modified(path),), path
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) or _ignored(entry.name):
            continue
        if entry.is_symlink() and Path(entry.path).is_dir():
            why = "a link to a folder; links are not followed"
            found.aside.append(Aside("", readable(entry.name), why))
            continue
        if not entry.name.lower().endswith((*_SUFFIXES, ".zip")):
            found.aside.append(Aside("", readable(entry.name), "neither .py nor .ipynb nor .zip"))
            continue
        student, order = _flat(readable(entry.name))
        if not student:
            why = "whose it is cannot be told from its name"
            found.aside.append(Aside("", readable(entry.name), why))
            continue
        found.students.add(student)
        for path in _opened(Path(entry.path), student, scratch, found):
            yield student, (*order, _modified(path)), path


def _ignored(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED


def _student_names(folders: list[str]) -> dict[str, str]:
    """Name students by their folders, without what a platform added; equal names get a number."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for folder in folders:
        name = readable(folder)
        match = _MOODLE.match(name)
        wanted = match["student"] if match else name
        if wanted in taken and match:
            wanted = f"{match['student']} {match['id']}"
        number, unique = 1, wanted
        while unique in taken:
            number += 1
            unique = f"{wanted} #{number}"
        taken.add(unique)
        names[folder] = unique
    return names


def _flat(name: str) -> tuple[str, tuple[object, ...]]:
    """Whose a file is by its name, and how new; ("", ()) when nobody can tell."""
    for pattern in (_BLACKBOARD, _CANVAS, _PLAIN):
        match = pattern.match(name)
        if match:
            again = re.search(r"-(\d+)\.\w+$", name)  # Canvas numbers what is handed in again
            when = match["when"] if pattern is _BLACKBOARD else ""
            return match["student"].strip(), (when, int(again[1]) if again else 0)
    if name.lower().endswith(".zip"):
        return name[:-4].strip(), ("", 0)
    return "", ()


def _walk(folder: Path, student: str, scratch: Path, found: Class, depth: int = 0) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.aside.append(Aside(student, readable(folder.name), error.strerror or str(error)))
        return
    for entry in entries:
        if _ignored(entry.name):
            continue
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEPTH:
                yield from _walk(path, student, scratch, found, depth + 1)
        elif entry.name.lower().endswith((*_SUFFIXES, ".zip")):
            yield from _opened(path, student, scratch, found)


def _opened(path: Path, student: str, scratch: Path, found: Class) -> Iterator[Path]:
    """Yield a file, or what is in it when it is a zip."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    target = scratch / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    try:
        unpacked = unpack(path, target, whole_class=False)
    except UnpackError as error:
        found.aside.append(Aside(student, readable(path.name), str(error)))
        return
    yield from (
        inner for inner in _walk(unpacked, student, scratch, found) if inner.suffix.lower() != ".zip"
    )


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _problem(path: Path) -> str:
    """Why a file is not even read; "" when it is one."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    if stat.S_ISLNK(mode):
        return "This is a link to another file; hand in the file itself."
    if not stat.S_ISREG(mode):
        return "This is no ordinary file."
    return "" if os.access(path, os.R_OK) else "The file may not be read."


def _exercises(path: Path) -> list[int]:
    """Which exercises a file answers: its name says so, or the cells of a notebook."""
    named = _EXERCISE.findall(path.stem)
    if named:
        return [int(named[-1])]
    if re.fullmatch(r"\d{1,2}", path.stem):
        return [int(path.stem)]
    if path.suffix.lower() != ".ipynb" or _problem(path):
        return []
    try:
        with path.open("rb") as opened:
            cells = json.loads(opened.read(MAX_BYTES))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    first_lines = (source.lstrip().partition("\n")[0].split() for source in sources)
    marked = [words[1] for words in first_lines if words[:1] == [MAGIC] and len(words) == 2]
    return sorted({int(match[1]) for word in marked if (match := _EXERCISE.fullmatch(word))})
