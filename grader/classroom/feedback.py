"""What a student is told of a result: everything, names of checks and mistakes, or the score alone."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

from grader import registry
from grader.classroom.store import MISSING, Result
from grader.exercise import Exercise

Feedback = Literal["full", "names", "score"]
WORDS = {
    "passed": "passed",
    "failed": "failed",
    "not_started": "not started",
    MISSING: "not handed in",
    "error": "the grader failed",
}


class Told(NamedTuple):
    """One check as a student may see it."""

    name: str
    status: str
    misconception: str | None
    text: str
    seconds: float | None


@cache
def _exercise(name: str) -> Exercise | None:
    try:
        return registry.load(registry.parse_name(name))
    except registry.UnknownExerciseError:
        return None


def title(exercise: str) -> str:
    """Return an exercise's title; "" for one that is no longer there."""
    found = _exercise(exercise)
    return found.title if found else ""


def explanation(exercise: str, misconception: str | None) -> str:
    """Return what a misconception is; "" for one that the suite no longer knows."""
    found = _exercise(exercise)
    known = found.misconceptions.get(misconception or "") if found else None
    return known.explanation if known else ""


def named(result: Result) -> list[str]:
    """Return the misconceptions that count: when the grader failed, nothing is held against anyone."""
    return result.misconceptions if result.status == "failed" else []


def checks(result: Result, feedback: Feedback) -> list[Told]:
    """Return the checks as a student may see them; none when only the score is told."""
    if feedback == "score":
        return []
    full = feedback == "full"
    return [
        Told(
            check["name"],
            check["status"],
            check["misconception"],
            check["message"] if full else explanation(result.exercise, check["misconception"]),
            check["seconds"] if full else None,
        )
        for check in result.checks
    ]


def document(result: Result, feedback: Feedback) -> dict[str, Any]:
    """Return a submission's JSON object: in full the verdict's, below that no seed, inputs or messages.

    With its seed a grading can be repeated, inputs and all.
    """
    if feedback == "full":
        return {"student": result.student, **result.document}
    told: dict[str, Any] = {
        "student": result.student,
        "exercise": result.exercise,
        "status": result.status,
        "score": result.score,
    }
    if feedback == "names":
        told["checks"] = [
            {
                "name": check.name,
                "status": check.status,
                "misconception": check.misconception,
                "explanation": check.text,
            }
            for check in checks(result, feedback)
        ]
    return told
