"""What a class adds up to, by exercise, student and misconception. Keeps counts and names, no verdicts."""

from __future__ import annotations

import heapq
import statistics
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

from grader.classroom import feedback as told
from grader.classroom.store import MISSING, Result, by_name

_LINES, _CHARACTERS = 30, 2500  # of an example
_REASONS = 30  # of an exercise: what an exception is called is up to who raises it
_OTHER = "something else"
_OFTEN = 5  # misconceptions in the summary


class Example(NamedTuple):
    """A check that somebody failed, and what the grader said."""

    check: str
    message: str


@dataclass
class Mistake:
    """A misconception in one exercise; or, without an `id`, what else was the reason of failures."""

    id: str
    reason: str
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
        """The mistakes, most frequent first, those without a name last."""
        return sorted(self.mistakes.values(), key=lambda it: (not it.id, -it.count, it.id, it.reason))

    @property
    def named(self) -> int:
        """How many misconceptions were named."""
        return sum(bool(it.id) for it in self.mistakes.values())

    @property
    def idle(self) -> bool:
        """Whether nobody began it: then it is held against nobody, unless it was asked for."""
        return set(self.statuses) == {"not_started"}


@dataclass(slots=True)
class StudentTally:
    """What became of one student's work."""

    name: str
    statuses: Counter[str] = field(default_factory=Counter)
    score: float = 0.0
    mistakes: Counter[str] = field(default_factory=Counter)  # and reasons, where none is named
    untouched: list[str] = field(default_factory=list)  # exercises that were handed in as they were
    excused: int = 0  # of these, how many nobody began

    @property
    def count(self) -> int:
        """How many exercises there are."""
        return self.statuses.total()

    @property
    def mean(self) -> float:
        """The mean score; what was not handed in counts as 0.

        What the grader failed on does not count, nor does what nobody began.
        """
        judged = self.count - self.statuses["error"] - self.excused
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


class Summary(NamedTuple):
    """A class in numbers.

    `submissions` were handed in; on `errors` of them the grader failed; `misconceptions` are the most
    frequent, with the number of submissions.
    """

    students: int
    submissions: int
    passed: int
    failed: int
    not_started: int
    missing: int
    errors: int
    misconceptions: Sequence[tuple[str, int]]


class Tally:
    """A class, added up from results that come by student."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.exercises: dict[str, ExerciseTally] = {}
        self.students: dict[str, StudentTally] = {}
        self.shared: dict[str, Shared] = {}
        self.faults: list[tuple[str, str, str]] = []  # student, exercise, the last line of the reason
        for result in results:
            self._add(result)
        for student in self.students.values():
            student.excused = sum(self.exercises[name].idle for name in student.untouched)

    @property
    def statuses(self) -> Counter[str]:
        """How many results of each status there are."""
        return sum((it.statuses for it in self.exercises.values()), Counter())

    def _add(self, result: Result) -> None:
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
        if status == "not_started":
            student.untouched.append(exercise.name)
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
            mistake = exercise.mistakes.get(id)
            if mistake is None:
                text = told.explanation(exercise.name, id)
                mistake = exercise.mistakes[id] = Mistake(id, "", text, self._example(result, id))
            mistake.count += 1
        if not told.named(result):
            self._add_reason(result, exercise, student)

    def _add_reason(self, result: Result, exercise: ExerciseTally, student: StudentTally) -> None:
        reason = told.reason(result)
        if reason not in exercise.mistakes and len(exercise.mistakes) >= _REASONS + exercise.named:
            reason = _OTHER
        reason = sys.intern(reason)
        student.mistakes[reason] += 1
        mistake = exercise.mistakes.get(reason)
        if mistake is None:
            mistake = exercise.mistakes[reason] = Mistake("", reason, "", self._example(result, ""))
        mistake.count += 1

    def _example(self, result: Result, id: str) -> Example:
        failing = (check for check in result.checks if check["status"] != "passed")
        check = next((it for it in failing if (it["misconception"] or "") == id), None)
        if check is None:
            return Example("", "")
        explained = told.explanation(result.exercise, id)  # stands above the example
        message = check["message"].removeprefix(explained)
        return Example(check["name"], _anonymous(message.strip(), result))

    def _reason(self, result: Result) -> str:
        lines = [line for check in result.checks for line in check["message"].splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else ""

    def summary(self) -> Summary:
        """Return the class in numbers."""
        statuses = self.statuses
        often = sorted(self.shared.values(), key=lambda it: (-it.submissions, it.id))[:_OFTEN]
        return Summary(
            len(self.students),
            statuses.total() - statuses[MISSING],
            statuses["passed"],
            statuses["failed"],
            statuses["not_started"],
            statuses[MISSING],
            statuses["error"],
            [(it.id, it.submissions) for it in often],
        )

    def ranked(self) -> list[Shared]:
        """Return the misconceptions, those of most students first."""
        return sorted(self.shared.values(), key=lambda it: (-it.students, -it.submissions, it.id))

    def struggling(self, count: int) -> list[StudentTally]:
        """Return the students with most failures, the lowest scores first among equals."""
        failed = (it for it in self.students.values() if it.statuses["failed"])
        return heapq.nsmallest(
            count, failed, key=lambda it: (-it.statuses["failed"], it.mean, by_name(it.name))
        )

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
