"""What a class adds up to, by exercise, student and misconception. Keeps counts and names, no verdicts."""

from __future__ import annotations

import heapq
import statistics
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

from grader.classroom import feedback as told
from grader.classroom.feedback import Feedback
from grader.classroom.store import MISSING, Result

_LINES, _CHARACTERS = 30, 2500  # of an example


class Example(NamedTuple):
    """A check that somebody failed, and what the grader said; "" where inputs may not be shown."""

    check: str
    message: str


@dataclass
class Mistake:
    """A misconception in one exercise. No `id`: mistakes that nothing known explains."""

    id: str
    explanation: str
    example: Example
    count: int = 0


@dataclass
class ExerciseTally:
    """What became of one exercise."""

    name: str
    title: str
    statuses: Counter[str] = field(default_factory=Counter)
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)  # who has not handed in
    times: array[float] = field(default_factory=lambda: array("d"))

    @property
    def expected(self) -> int:
        """How many should have handed in."""
        return self.statuses.total()

    @property
    def handed_in(self) -> int:
        """How many did."""
        return self.expected - self.statuses[MISSING]

    @property
    def pass_rate(self) -> float | None:
        """The share of what was handed in and judged that passed; None when there is nothing."""
        judged = self.handed_in - self.statuses["error"]
        return self.statuses["passed"] / judged if judged else None

    @property
    def median(self) -> float | None:
        """The median time of a grading, in seconds."""
        return statistics.median(self.times) if self.times else None

    @property
    def longest(self) -> float:
        """The time of the slowest grading, in seconds."""
        return max(self.times, default=0.0)

    @property
    def ranked(self) -> Sequence[Mistake]:
        """The mistakes, most frequent first, unexplained ones last."""
        return sorted(self.mistakes.values(), key=lambda it: (not it.id, -it.count, it.id))


@dataclass(slots=True)
class StudentTally:
    """What became of one student's work."""

    name: str
    statuses: Counter[str] = field(default_factory=Counter)
    score: float = 0.0
    mistakes: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many exercises there are."""
        return self.statuses.total()

    @property
    def mean(self) -> float:
        """The mean score; what was not handed in counts as 0, what the grader failed on not at all."""
        judged = self.count - self.statuses["error"]
        return self.score / judged if judged else 0.0


@dataclass
class Shared:
    """A misconception over all exercises: how many students have it, in how many submissions of each."""

    id: str
    students: int = 0
    exercises: Counter[str] = field(default_factory=Counter)

    @property
    def submissions(self) -> int:
        """In how many submissions it was found."""
        return self.exercises.total()


class Tally:
    """A class, added up from results that come by student."""

    def __init__(self, feedback: Feedback) -> None:
        self._feedback = feedback
        self.exercises: dict[str, ExerciseTally] = {}
        self.students: dict[str, StudentTally] = {}
        self.shared: dict[str, Shared] = {}
        self.faults: list[tuple[str, str, str]] = []  # student, exercise, the last line of the reason

    @property
    def statuses(self) -> Counter[str]:
        """How many results of each status there are."""
        return sum((it.statuses for it in self.exercises.values()), Counter())

    def add(self, result: Result) -> None:
        """Count a result."""
        exercise = self.exercises.get(result.exercise)
        if exercise is None:
            exercise = ExerciseTally(result.exercise, told.title(result.exercise))
            self.exercises[result.exercise] = exercise
        student = self.students.setdefault(result.student, StudentTally(result.student))
        status = sys.intern(result.status)
        exercise.statuses[status] += 1
        student.statuses[status] += 1
        if status == MISSING:
            exercise.absent.append(student.name)
            return
        if result.seconds:
            exercise.times.append(result.seconds)
        if status == "error":
            self.faults.append((student.name, exercise.name, self._reason(result)))
            return
        student.score += result.score
        if status == "failed":
            self._add_mistakes(result, exercise, student)

    def _add_mistakes(self, result: Result, exercise: ExerciseTally, student: StudentTally) -> None:
        for id in told.named(result):
            id = sys.intern(id)
            shared = self.shared.setdefault(id, Shared(id))
            shared.students += id not in student.mistakes
            shared.exercises[exercise.name] += 1
            student.mistakes[id] += 1
        for id in told.named(result) or [""]:
            mistake = exercise.mistakes.get(id)
            if mistake is None:
                text = told.explanation(exercise.name, id)
                mistake = exercise.mistakes[id] = Mistake(id, text, self._example(result, id))
            mistake.count += 1

    def _example(self, result: Result, id: str) -> Example:
        failing = (check for check in result.checks if check["status"] != "passed")
        check = next((it for it in failing if (it["misconception"] or "") == id), None)
        if check is None:
            return Example("", "")
        if self._feedback != "full":
            return Example(check["name"], "")
        explained = told.explanation(result.exercise, id)  # stands above the example
        message = check["message"].removeprefix(explained)
        return Example(check["name"], _anonymous(message.strip(), result))

    def _reason(self, result: Result) -> str:
        lines = [line for check in result.checks for line in check["message"].splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines and self._feedback == "full" else ""

    def ranked(self) -> list[Shared]:
        """Return the misconceptions, those of most students first."""
        return sorted(self.shared.values(), key=lambda it: (-it.students, -it.submissions, it.id))

    def struggling(self, count: int) -> list[StudentTally]:
        """Return the students with most failures, the lowest scores first among equals."""
        failed = (it for it in self.students.values() if it.statuses["failed"])
        return heapq.nsmallest(count, failed, key=lambda it: (-it.statuses["failed"], it.mean, it.name))

    def nothing(self) -> list[str]:
        """Return who has handed in nothing at all."""
        return [it.name for it in self.students.values() if it.statuses[MISSING] == it.count]


def _anonymous(message: str, result: Result) -> str:
    """Return a message, shortened, without the student's name and the file's, which often has it in it."""
    for name in (PurePath(result.file).name, result.student):
        if len(name) > 2:  # a shorter one would be found in any word
            message = message.replace(name, "…")
    shown = "\n".join(message.split("\n")[:_LINES])[:_CHARACTERS]
    return shown if shown == message else f"{shown}\n…"
