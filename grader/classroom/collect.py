"""Finds what a class handed in: a folder for each student, flat files, or a zip, as platforms write them.

Nothing is followed that leads elsewhere (links), nothing is unpacked beyond bounds, and no name is trusted.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from grader import desk, registry, sources
from grader.classroom import platforms
from grader.classroom.folders import ANSWERS, Walker, class_folder, entries_of
from grader.classroom.platforms import Told, canonical, readable
from grader.sources import MAX_BYTES

_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_TOLD = 20  # a student's files of other kinds that are told one by one
_OTHER_KIND = "neither .py nor .ipynb nor .zip"


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
        OSError: The folder cannot be read.
    """
    names = {canonical(name) for name in roster}
    found = Class()
    root = class_folder(given, scratch, names, lambda file, why: found.aside.append(Aside("", file, why)))
    collector = _Collector(root, scratch, set(known), set(only), found)
    collector.look(names)
    for several in collector.candidates.values():
        _choose(several, found)
    found.submissions.sort(key=lambda one: (one.exercise, one.student))
    return found


class _Candidate(NamedTuple):
    """A submission, and what the newer of two has more of."""

    order: tuple[str, int, float]
    submission: Submission


class _Collector:
    """Goes through a class's folder and notes which file answers which exercise."""

    def __init__(self, root: Path, scratch: Path, known: set[int], only: set[int], found: Class) -> None:
        self.root = root
        self.scratch = scratch
        self.known = known
        self.only = only
        self.found = found
        self.candidates: dict[tuple[str, int], list[_Candidate]] = {}
        self._others: dict[str, list[tuple[str, str]]] = {}  # what is of no kind that we read, by student
        self._readers: set[str] = set()  # students with something that we read
        self._walkers: dict[str, Walker] = {}

    def look(self, roster: set[str]) -> None:
        """Look at everything."""
        told = self._owners()
        names = platforms.student_names(one.owner for _, one in told)
        # Of several students with one name, the roster means those that are here.
        shared = {canonical(owner.name) for owner, name in names.items() if name != canonical(owner.name)}
        self.found.students = {*names.values(), *(roster - shared)}
        for path, one in told:
            student = names[one.owner]
            if one.id:
                self.found.ids[student] = one.id
            for file in self._walker(student).files(path):
                self._add(student, file, one.file if file == path else file.name, one)
        self._tell_others()

    def _owners(self) -> list[tuple[Path, Told]]:
        """Whose each entry of the class's folder is; those that are nobody's are left aside."""
        entries = entries_of(self.root, is_students=True)
        usernames = platforms.usernames(readable(entry.name) for entry in entries)
        told = []
        for entry in entries:
            path, name = Path(entry.path), readable(entry.name)
            if entry.is_dir(follow_symlinks=False):
                told.append((path, platforms.of_folder(entry.name)))
            elif path.is_symlink() and path.is_dir():
                self._aside("", name, "a link to a folder; links are not followed")
            elif one := platforms.of_file(name, usernames):
                told.append((path, one))
            elif name.lower().endswith(ANSWERS):
                self._aside("", name, "whose it is cannot be told from its name")
            else:
                self._aside("", name, _OTHER_KIND)
        return told

    def _walker(self, student: str) -> Walker:
        def left_out(file: str, why: str) -> None:
            self._aside(student, file, why)

        return self._walkers.setdefault(student, Walker(self.scratch, left_out))

    def _aside(self, student: str, file: str, why: str) -> None:
        self.found.aside.append(Aside(student, file, why))

    def _add(self, student: str, path: Path, own_name: str, told: Told) -> None:
        """Note one file of a student. `own_name`: as the student named it."""
        shown = self._shown(path)
        if not path.name.lower().endswith(ANSWERS):
            self._others.setdefault(student, []).append((own_name, shown))
            return
        self._readers.add(student)
        problem = _problem(path)
        numbers, why = self._exercises(path, own_name, problem)
        if not numbers and not _asks_nothing(own_name):
            self._aside(student, shown, why)
        for number in numbers:
            if number not in self.known:
                self._aside(student, shown, f"there is no exercise {number}")
            elif not self.only or number in self.only:
                made = Submission(student, number, path, shown, problem)
                candidate = _Candidate((told.when, told.attachment, _modified(path)), made)
                self.candidates.setdefault((student, number), []).append(candidate)

    def _shown(self, path: Path) -> str:
        """A file's place in the class, or in the zip file it came in."""
        if path.is_relative_to(self.root):
            return readable(str(path.relative_to(self.root)))
        return readable(str(Path(*path.relative_to(self.scratch).parts[1:])))

    def _exercises(self, path: Path, own_name: str, problem: str) -> tuple[list[int], str]:
        """Which exercises a file answers, or why none: a notebook's cells decide, else its name."""
        why = problem or "no exercise's number in its name"
        if not problem and path.suffix.lower() == ".ipynb":
            try:
                marked = sources.marked_exercises(path)
            except (sources.SubmissionError, OSError) as error:
                why = str(error)
            else:
                if marked:
                    return marked, ""
                why += ", and no %%exercise cell"
        named = platforms.exercise_number(own_name)
        if named is not None:
            return [named], ""
        if len(self.only) == 1 and not problem:
            (number,) = self.only
            if number in self.known and _source(path, number):
                return [number], ""
        return [], why

    def _tell_others(self) -> None:
        """Tell what is of other kinds where it may be an answer: not the pictures beside one."""
        for student, files in self._others.items():
            told = [shown for own, shown in files if student not in self._readers or _may_answer(own)]
            for file in told[:_TOLD]:
                self._aside(student, file, _OTHER_KIND)
            if len(told) > _TOLD:
                self._aside(student, f"{len(told) - _TOLD} more files", _OTHER_KIND)


def _asks_nothing(own_name: str) -> bool:
    """Whether a notebook is a lesson of ours without exercises, which every edition holds."""
    lesson = registry.project_root() / "notebooks" / own_name
    try:
        return lesson.suffix == ".ipynb" and not sources.marked_exercises(lesson)
    except (sources.SubmissionError, OSError):
        return False


def _may_answer(own_name: str) -> bool:
    is_picture = Path(own_name).stem.isdecimal()  # or the like: 1.png, 2.png
    return own_name.lower().endswith(_ARCHIVES) or (
        not is_picture and platforms.exercise_number(own_name) is not None
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


def _source(path: Path, number: int) -> sources.Source | None:
    """A file as an answer to an exercise; None when it does not define what that asks for."""
    exercise = registry.load(number)
    try:
        return sources.read(path, exercise.name, exercise.implements)
    except (sources.SubmissionError, OSError):
        return None


def _is_untouched(submission: Submission) -> bool:
    source = _source(submission.path, submission.exercise)
    exercise = registry.load(submission.exercise)
    try:
        return source is not None and source.is_untouched(exercise.implements, desk.stub(exercise.name))
    except (OSError, RecursionError):
        return False


def _choose(several: list[_Candidate], found: Class) -> None:
    """Take one of a student's files for an exercise: what was worked on, and of that the newest.

    An untouched stub is never taken before an answer, and nothing is said about it: it holds nothing.
    """
    if len(several) == 1:
        found.submissions.append(several[0].submission)
        return
    worked = [one for one in several if not one.submission.problem and not _is_untouched(one.submission)]
    unreadable = [one for one in several if one.submission.problem]
    # Of equals the first by name, as they were found.
    taken = max(
        worked or unreadable or several,
        key=lambda one: (one.order, one.submission.path.suffix.lower() == ".py"),
    )
    found.submissions.append(taken.submission)
    for other in [*worked, *unreadable]:
        if other is not taken:
            one = other.submission
            found.aside.append(Aside(one.student, one.file, _why(taken, other)))


def _why(taken: _Candidate, other: _Candidate) -> str:
    file = taken.submission.file
    if other.submission.problem and not taken.submission.problem:
        return f"{file} can be read; this cannot: {other.submission.problem}"
    if taken.order > other.order:
        return f"{file} is newer"
    return f"{file} has the same date; of such, a .py file is taken, then the first by name"
