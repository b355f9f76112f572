"""Grades as other programs read them: CSV, Gradescope's results, nbgrader's export, JUnit's XML.

An exercise is worth 100 points where a format wants points.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TextIO
from xml.sax.saxutils import escape, quoteattr

from grader.classroom import feedback as told
from grader.classroom.feedback import NOT_OURS, WORDS, Feedback, Told
from grader.classroom.store import MISSING, Result
from grader.plain import plain

Format = Literal["gradescope", "nbgrader", "junit"]
POINTS = 100.0
_GRADES = ("student", "exercise", "status", "score", "misconceptions", "reason")
_NBGRADER = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
# Spreadsheets take these (and their wide forms) for a formula's beginning, white space and what cannot be
# seen for nothing, and in some countries a semicolon for a new field.
_FORMULA = re.compile(r"(^|;)(?=[\s\u200b-\u200d\u2060\ufeff]*[=+\-@＝＋－＠])")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def harmless(text: str) -> str:
    """Return a CSV field, of one line, that no spreadsheet calculates and no terminal obeys."""
    return _FORMULA.sub(r"\1'", re.sub(r"[\n\t]", " ", plain(text)))


class Grades:
    """`grades.csv`, row by row."""

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.writer(stream)
        self._rows.writerow(_GRADES)

    def add(self, result: Result) -> None:
        """Write a row."""
        mistakes = "; ".join(told.named(result))
        row = (result.student, result.exercise, result.status, str(result.score), mistakes, result.reason)
        self._rows.writerow([harmless(field) for field in row])


class Gradebook:
    """`gradebook.csv`, for uploading to a platform: a row for each student, percents, and their mean."""

    def __init__(
        self, stream: TextIO, exercises: Sequence[str], means: Mapping[str, float], ids: Mapping[str, str]
    ) -> None:
        self._rows = csv.writer(stream)
        self._exercises, self._means, self._ids = exercises, means, ids
        self._rows.writerow(["student", "id", *map(harmless, exercises), "mean"])

    def add(self, student: str, results: Iterable[Result]) -> None:
        """Write a student's row; empty where nothing was handed in, or the grader failed."""
        judged = (it for it in results if it.status not in (MISSING, "error"))
        points = {it.exercise: f"{_points(it):g}" for it in judged}
        scores = [points.get(exercise, "") for exercise in self._exercises]
        mean = f"{round(POINTS * self._means[student], 2):g}"
        self._rows.writerow([harmless(student), harmless(self._ids.get(student, "")), *scores, mean])


class Nbgrader:
    """The columns of `nbgrader export`, row by row; no score where the grader failed."""

    def __init__(self, stream: TextIO) -> None:
        self._rows = csv.DictWriter(stream, _NBGRADER, restval="")
        self._rows.writeheader()

    def add(self, result: Result) -> None:
        """Write a row."""
        points: float | str = "" if result.status == "error" else _points(result)
        row = {
            "assignment": harmless(result.exercise),
            "student_id": harmless(result.student),
            "raw_score": points,
            "late_submission_penalty": 0.0,
            "score": points,
            "max_score": POINTS,
        }
        self._rows.writerow(row)


def _points(result: Result) -> float:
    return round(POINTS * result.score, 2)


def gradescope(result: Result, feedback: Feedback) -> dict[str, Any]:
    """Return Gradescope's `results.json` for a submission."""
    checks = told.checks(result, feedback)
    document: dict[str, Any] = {
        "score": _points(result),
        "output": _headline(result, checks),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
    }
    if feedback == "full":
        document["execution_time"] = result.seconds
    if checks and result.status != "error":
        share = round(POINTS / len(checks), 4)
        document["tests"] = [_test(number, check, share) for number, check in enumerate(checks, 1)]
    return document


def _headline(result: Result, checks: Sequence[Told]) -> str:
    if result.status == "error":
        return NOT_OURS
    word = WORDS[result.status].capitalize()
    if not checks:
        return f"{word}."
    passed = sum(check.status == "passed" for check in checks)
    return f"{word}: {passed} of {len(checks)} checks passed."


def _test(number: int, check: Told, share: float) -> dict[str, Any]:
    passed = check.status == "passed"
    return {
        "number": str(number),
        "name": check.name,
        "score": share if passed else 0.0,
        "max_score": share,
        "status": "passed" if passed else "failed",
        "output": "" if passed else _reason(check),
        "visibility": "visible",
    }


def _reason(check: Told) -> str:
    """Say why a check was not passed: "no-scaling: The scores are …", "timeout"."""
    label = check.misconception or ("" if check.status == "failed" else check.status)
    return ": ".join(part for part in (label, check.text) if part)


class JUnit:
    """`junit.xml`: a suite for each submission, a case for each check. Ends with `close`."""

    def __init__(self, stream: TextIO, feedback: Feedback) -> None:
        self._stream = stream
        self._feedback = feedback
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="class">\n')

    def add(self, result: Result) -> None:
        """Write a suite."""
        group = f"{result.exercise}.{result.student.replace('.', '_')}"  # a dot would start a package
        checks = told.checks(result, self._feedback)
        if result.status in ("error", MISSING, "not_started") or not checks:
            cases = [_whole(group, result, checks)]
        else:
            cases = [_case(group, check) for check in checks]
        kinds = [kind for kind, _ in cases]
        attributes: dict[str, str | int | float] = {
            "name": f"{result.student}, {result.exercise}",
            "tests": len(cases),
            "failures": kinds.count("failure"),
            "errors": kinds.count("error"),
            "skipped": kinds.count("skipped"),
        }
        if self._feedback == "full":
            attributes["time"] = result.seconds
        self._stream.write(f"<testsuite{_attributes(attributes)}>\n")
        self._stream.writelines(text for _, text in cases)
        self._stream.write("</testsuite>\n")

    def close(self) -> None:
        """Write the end."""
        self._stream.write("</testsuites>\n")


def _whole(group: str, result: Result, checks: Iterable[Told]) -> tuple[str, str]:
    """Return the one case of a submission without checks to tell of."""
    kinds = {"passed": "", "failed": "failure", "error": "error"}
    kind = kinds.get(result.status, "skipped")
    text = "\n".join(check.text for check in checks if check.status != "passed")
    message = f"score {result.score}" if result.status == "failed" else WORDS[result.status]
    return kind, _element(group, result.exercise, kind, message, result.status, text)


def _case(group: str, check: Told) -> tuple[str, str]:
    kinds = {"passed": "", "failed": "failure", "forbidden": "failure"}
    kind = kinds.get(check.status, "error")  # it raised, crashed or ran out of time
    message = check.text.split("\n", 1)[0] or check.status
    of = check.misconception or check.status
    return kind, _element(group, check.name, kind, message, of, check.text, check.seconds)


def _element(
    group: str, name: str, kind: str, message: str, of: str, text: str, seconds: float | None = None
) -> str:
    attributes: dict[str, str | int | float] = {"classname": group, "name": name}
    if seconds is not None:
        attributes["time"] = seconds
    if not kind:
        return f"<testcase{_attributes(attributes)}/>\n"
    # The schema gives "skipped" no type.
    outcome = {"message": message} if kind == "skipped" else {"message": message, "type": of}
    inner = f"<{kind}{_attributes(outcome)}>{escape(_xml(text))}</{kind}>"
    return f"<testcase{_attributes(attributes)}>{inner}</testcase>\n"


def _attributes(values: dict[str, Any]) -> str:
    return "".join(f" {name}={quoteattr(_xml(str(value)))}" for name, value in values.items())


def _xml(text: str) -> str:
    """Replace what XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
