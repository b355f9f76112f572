"""Which hint comes next: first what the last answer got wrong, then the exercise's own three."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from grader import registry
from grader.exercise import Exercise, Misconception
from grader.progress import Progress

_SHOWN_LINES = 3


class Hint(NamedTuple):
    """A hint: its key in the learner's record, a title, what it says, code that belongs to it."""

    key: str
    title: str
    text: str
    code: str = ""


def due(exercise: Exercise, progress: Progress) -> list[Hint]:
    """Return the hints to show now.

    After an answer whose mistake is known that is the hint about it, once. Else the exercise's hints from
    the first to the next one, so that what was read before stays in sight.
    """
    given = progress.hints(exercise.name)
    for id in _last_mistakes(exercise, progress):
        if id not in given:
            return [_about(exercise, exercise.misconceptions[id])]
    count = len(exercise.hints)
    shown = min(sum(key.isdecimal() for key in given) + 1, count)
    return [
        Hint(str(number), f"Hint {number} of {count}", exercise.hints[number - 1])
        for number in range(1, shown + 1)
    ]


def is_last(exercise: Exercise, hints: Iterable[Hint]) -> bool:
    """Whether nothing comes after these hints."""
    return any(hint.key == str(len(exercise.hints)) for hint in hints)


def take(exercise: Exercise, progress: Progress) -> tuple[list[Hint], str]:
    """Return the hints to show now, noted as taken, and what there is to say about the noting."""
    hints = due(exercise, progress)
    return hints, progress.add_hint(exercise.name, hints[-1].key)


def _last_mistakes(exercise: Exercise, progress: Progress) -> list[str]:
    record = progress.records().get(exercise.name)
    if record is None or record.last is None or record.last.status == "passed":
        return []
    return [id for id in record.last.misconceptions if id in exercise.misconceptions]


def _about(exercise: Exercise, misconception: Misconception) -> Hint:
    title = f"About your last answer: {misconception.id}"
    return Hint(misconception.id, title, misconception.explanation, _typical_lines(exercise, misconception))


def _typical_lines(exercise: Exercise, misconception: Misconception) -> str:
    """Lines that an answer with this mistake may hold; "" where they say too much or too little.

    Only what differs from the solution is shown, and only where it is short and nowhere right.
    """
    path = registry.solution_file(exercise.name)
    if not isinstance(misconception.wrong, Mapping) or not path.is_file():
        return ""
    solution = path.read_text(encoding="utf-8")
    wrong = solution
    for old, new in misconception.wrong.items():
        wrong = wrong.replace(old, new)
    changes = difflib.ndiff(solution.splitlines(), wrong.splitlines())
    lines = [line[2:].strip() for line in changes if line.startswith("+ ") and line[2:].strip()]
    right = {line.strip() for line in solution.splitlines()}
    if len(lines) > _SHOWN_LINES or right.intersection(lines):
        return ""
    return "\n".join(lines)
