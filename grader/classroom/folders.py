"""Walks through what a class handed in: into zip files, not into what tools made, and never along links."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from grader.classroom import platforms
from grader.classroom.platforms import readable
from grader.classroom.unpack import CLASS_BYTES, STUDENT_BYTES, UnpackError, is_ignored, unpack

ANSWERS = (".py", ".ipynb")
LeftOut = Callable[[str, str], None]  # takes a file and why it is not read
_DEPTH = 4  # folders below a student's that are looked into
_WRAPPERS = 5  # folders and zip files around a class
_NESTED = 2  # zip files in each other
_STUDENT_TOTAL = 4 * STUDENT_BYTES
_CONFIGURATION = "pyvenv.cfg"
# Beside that these are an environment; beside our package these are not the learner's.
_ENVIRONMENT = frozenset(["lib", "lib64", "bin", "scripts", "include", "share"])
_OURS = frozenset(["grader", "solutions", "tests", "benchmarks"])
_WORK = re.compile(
    r"(exercises?|notebooks?|solutions?|answers?|submissions?|src|code|work|data|tests?|docs?|images?|grader"
    r"|(week|lesson|day|part|lab|session|chapter|hw|homework|task|assignment|unit)?[ _-]*\d{1,2})",
    re.IGNORECASE,
)


def entries_of(folder: Path, *, is_students: bool = False) -> list[os.DirEntry[str]]:
    """List what is not to be ignored in a folder. Raises OSError."""
    found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    kept = [entry for entry in found if not is_ignored(entry.name, is_students=is_students)]
    barred = set(_OURS) if _is_ours(folder) else set()
    if any(entry.name == _CONFIGURATION for entry in found):
        barred |= {_CONFIGURATION, *(entry.name for entry in found if entry.name.lower() in _ENVIRONMENT)}
    return [
        entry for entry in kept if entry.name not in barred and not (is_students and _is_environment(entry))
    ]


def _is_ours(folder: Path) -> bool:
    return (folder / "grader" / "__init__.py").is_file()


def _is_environment(entry: os.DirEntry[str]) -> bool:
    """Whether a folder among the students' is an environment, not one's work that has one in it."""
    return is_ignored(entry.name) and (Path(entry.path) / _CONFIGURATION).is_file()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


class Walker:
    """Finds the files of one student."""

    def __init__(self, scratch: Path, left_out: LeftOut) -> None:
        self._scratch = scratch
        self._left_out = left_out
        self._left = _STUDENT_TOTAL

    def files(self, path: Path) -> Iterator[Path]:
        """Yield every file in a folder or zip file, or the file itself; also those that we do not read."""
        if path.is_dir() and not path.is_symlink():
            yield from self._walk(path, 0, 0)
        else:
            yield from self._opened(path, 0)

    def _walk(self, folder: Path, depth: int, nested: int) -> Iterator[Path]:
        try:
            entries = entries_of(folder)
        except OSError as error:
            self._left_out(readable(folder.name), error.strerror or str(error))
            return
        for entry in entries:
            path = Path(entry.path)
            if not _is_folder(entry):
                yield from self._opened(path, nested)
            elif depth < _DEPTH:
                yield from self._walk(path, depth + 1, nested)
            else:
                self._left_out(readable(entry.name), f"folders more than {_DEPTH} deep are not looked into")

    def _opened(self, path: Path, nested: int) -> Iterator[Path]:
        """Yield a file, or what is in it when it is a zip."""
        if path.suffix.lower() != ".zip":
            yield path
            return
        name = readable(path.name)
        if nested == _NESTED:
            self._left_out(name, "a zip file in a zip file in a zip file")
            return
        target = self._scratch / hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        try:
            done = unpack(path, target, whole_class=False, most_bytes=self._left)
        except UnpackError as error:
            self._left_out(name, str(error))
            return
        self._left -= done.size
        for member, why in done.left_out:
            self._left_out(f"{name}/{readable(member)}", why)
        yield from self._walk(done.folder, 0, nested + 1)


def class_folder(given: Path, scratch: Path, roster: Collection[str], left_out: LeftOut) -> Path:
    """Return the folder where students' work lies: what is given, or what it wraps once or several times.

    A wrapper holds nothing else, has no student's name, and somewhere within are two students or more: a
    student's own folders are no students. Raises UnpackError and OSError.
    """
    root, left, odd = given, CLASS_BYTES, list[tuple[str, str]]()
    if given.is_file():
        root, size, odd = unpack(given, scratch / "class", whole_class=True)
        left -= size
    folder, within = _unwrapped(root, scratch, roster, left)
    for member, why in [*odd, *within]:
        left_out(readable(member), why)
    return folder


def _unwrapped(
    root: Path, scratch: Path, roster: Collection[str], left: int
) -> tuple[Path, list[tuple[str, str]]]:
    """What a folder wraps, or itself; and what was left out of the zip files on the way."""
    folder, odd = root, list[tuple[str, str]]()
    for number in range(_WRAPPERS):
        entries = entries_of(folder, is_students=True)
        if len(entries) != 1 or _names_student(entries[0], roster):
            break
        inner = Path(entries[0].path)
        if _is_folder(entries[0]):
            folder = inner
        elif inner.suffix.lower() == ".zip":
            try:
                done = unpack(inner, scratch / f"class-{number}", whole_class=True, most_bytes=left)
            except UnpackError:
                break
            folder, left, odd = done.folder, left - done.size, odd + done.left_out
        else:
            break
        if holds_students(folder, roster):
            return folder, odd
    return root, []


def _names_student(entry: os.DirEntry[str], roster: Collection[str]) -> bool:
    name = readable(entry.name)
    is_folder = _is_folder(entry)
    stem = name if is_folder else os.path.splitext(name)[0]
    return platforms.canonical(stem) in roster or platforms.is_platforms(name, is_folder=is_folder)


def holds_students(folder: Path, roster: Collection[str]) -> bool:
    """Whether entries look like students': one of a known name, or two and no answer beside them."""
    if _is_ours(folder):
        return False
    students = set()
    for entry in entries_of(folder):
        name = readable(entry.name)
        if _names_student(entry, roster):
            return True
        if _is_folder(entry):
            if not _WORK.fullmatch(name) and platforms.exercise_number(name) is None:
                students.add(name)
            continue
        told = platforms.of_file(name, {})
        if told and platforms.exercise_number(told.owner.name) is None:
            students.add(told.owner.name)
        elif _is_answer(name):
            return False
    return len(students) >= 2


def _is_answer(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix == ".ipynb" or (suffix == ".py" and platforms.exercise_number(name) is not None)
