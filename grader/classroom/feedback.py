"""What a student is told of a result: everything, names of checks and mistakes, or the score alone.

A file of which nothing could be run is told why in all but the last: no input is in that.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

from grader import registry
from grader.classroom.store import MISSING, Result
from grader.exercise import Exercise
from grader.plain import one_line
from grader.terminal import MARKS, explained_once
from grader.verdict import ALLOWED, READABLE, CheckResult

Feedback = Literal["full", "names", "score"]
WORDS = {
    "passed": "passed",
    "failed": "failed",
    "not_started": "not started",
    MISSING: "not handed in",
    "error": "the grader failed",
}
NOT_OURS = "The grader failed, which is not your fault. Please ask for another grading."


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


def reason(result: Result) -> str:
    """Return why something failed where no misconception was named, in a word or two."""
    return result.reason or "no known misconception"


def percent(result: Result) -> int:
    """Return a score to show. 99.6 % is not passed, and must not look so."""
    return 100 if result.status == "passed" else min(99, round(100 * result.score))


def checks(result: Result, feedback: Feedback) -> list[Told]:
    """Return the checks as a student may see them; none when only the score is told."""
    if feedback == "score":
        return []
    full = feedback == "full"
    readable = full or [check["name"] for check in result.checks] in ([READABLE], [ALLOWED])
    return [
        Told(
            check["name"],
            check["status"],
            check["misconception"],
            check["message"] if readable else explanation(result.exercise, check["misconception"]),
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


def text(result: Result, feedback: Feedback) -> str:
    """Return what a student reads of a submission: the verdict as a terminal shows it, without colours."""
    heading = "  ".join(filter(None, [result.exercise, title(result.exercise)]))
    lines = [heading, f"Graded: {one_line(result.file)}"]
    if result.status == "error":
        return "\n".join([*lines, NOT_OURS, ""])
    if result.status == "not_started":
        return "\n".join([*lines, "NOT STARTED", ""])
    told = [
        CheckResult(check.name, check.status, check.text, check.misconception)  # type: ignore[arg-type]
        for check in checks(result, feedback)
    ]
    for check, explained in explained_once(told):
        lines.extend(_check_lines(check, explained))
    passed = sum(check.status == "passed" for check in told)
    counts = f"{passed} of {len(told)} checks" if told else f"{percent(result)} %"
    seed = f"  (seed {result.document['seed']})" if feedback == "full" else ""
    return "\n".join([*lines, f"{result.status.upper()}  {counts}{seed}", ""])


def _check_lines(check: CheckResult, explained: bool) -> Iterator[str]:
    status = "" if check.status in ("passed", "failed") else f" ({check.status})"
    named = f"  {check.misconception}" if check.misconception else ""
    yield f"  {MARKS[check.status]} {check.name}{status}{named}"
    if explained and check.message:
        yield textwrap.indent(check.message.rstrip("\n"), " " * 6) + "\n"
