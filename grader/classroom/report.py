"""Writes a class's report: grades, a page for the teacher, a file for each submission.

Results are read from the store one at a time, more than once, and written as they come: what is kept are
counts and names, so ten thousand submissions need no more memory than a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2

from grader.classroom import feedback as told
from grader.classroom import formats
from grader.classroom.feedback import WORDS, Feedback
from grader.classroom.formats import Format
from grader.classroom.paths import Manifest, replace, replacing, safe_name
from grader.classroom.store import MISSING, Result, Store
from grader.classroom.tally import StudentTally, Tally

__all__ = ["Summary", "safe_name", "write"]

_TEMPLATES = Path(__file__).parent / "templates"
_PAGE = 400  # students in one table of the heat map
_NAMES = 400  # names in one list
_STRUGGLING, _FAULTS, _OFTEN = 25, 50, 5
_STEPS = 5  # colours of the heat map below "passed"
# What HTML does not allow, whatever a message or a name holds.
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd")
_MARKS = {"passed": "", "failed": "", "not_started": "○", MISSING: "–", "error": "!"}


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


class Cell(NamedTuple):
    """A cell of the heat map: its colour's class, what it shows, what it says when pointed at."""

    kind: str
    text: str
    title: str
    word: str = ""  # what is read aloud where the text is a mark


class Row(NamedTuple):
    """A student's row of the heat map."""

    tally: StudentTally
    link: str
    cells: Sequence[Cell]


class Page(NamedTuple):
    """Some of the heat map's students, counted from 1."""

    first: int
    last: int
    rows: Iterator[Row]


def write(
    store: Store,
    folder: Path,
    *,
    feedback: Feedback = "full",
    formats: Sequence[Format] = (),
) -> Summary:
    """Write the report. Raises OSError.

    Files are replaced whole. What an earlier report wrote and this one does not (a student who left, a
    format no longer asked for) is removed; no other file is.

    Args:
        store: The class's results.
        folder: Where to; made when it is not there.
        feedback: What the files for students tell: everything, names of checks and misconceptions, or the
            score. With less than "full" the teacher's page shows no inputs either.
        formats: What to write besides `grades.csv`, `report.html` and `submissions/`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(folder)
    tally = Tally(feedback)
    planned = {name for name, wanted in _FILES.items() if wanted in formats}
    for result in store.results():
        tally.add(result)
        planned.update(_files(result, formats))
    written = manifest.read()
    manifest.write(written | planned)  # first, so that a crash leaves nothing that nobody knows of
    _write_files(store, folder, feedback, formats)
    _write_page(store, folder / "report.html", tally, feedback)
    manifest.remove(written - planned)
    manifest.write(planned)
    return _summary(tally)


_FILES: dict[str, Format] = {"nbgrader.csv": "nbgrader", "junit.xml": "junit"}


def _files(result: Result, wanted: Sequence[Format]) -> Iterator[str]:
    """Yield the files of one submission, relative to the report."""
    if result.status == MISSING:
        return
    student, exercise = safe_name(result.student), safe_name(result.exercise)
    yield f"submissions/{student}/{exercise}.json"
    if "gradescope" in wanted:
        yield f"gradescope/{student}/{exercise}/results.json"


def _write_files(store: Store, folder: Path, feedback: Feedback, wanted: Sequence[Format]) -> None:
    """Write everything but the page, in one pass."""
    with ExitStack() as stack:
        # Excel takes a file for UTF-8 only by its byte order mark, on which other programs stumble.
        grades = formats.Grades(stack.enter_context(replacing(folder / "grades.csv", "utf-8-sig")))
        tables: list[formats.Grades | formats.Nbgrader | formats.JUnit] = [grades]
        if "nbgrader" in wanted:
            tables.append(formats.Nbgrader(stack.enter_context(replacing(folder / "nbgrader.csv"))))
        if "junit" in wanted:
            junit = formats.JUnit(stack.enter_context(replacing(folder / "junit.xml")), feedback)
            stack.callback(junit.close)
            tables.append(junit)
        for result in store.results():
            for table in tables:
                table.add(result)
            for path in _files(result, wanted):
                _write_submission(folder / path, path, result, feedback)


def _write_submission(file: Path, path: str, result: Result, feedback: Feedback) -> None:
    for_gradescope = path.startswith("gradescope/")
    document = (formats.gradescope if for_gradescope else told.document)(result, feedback)
    replace(file, json.dumps(document, ensure_ascii=False) + "\n")


def _summary(tally: Tally) -> Summary:
    statuses = tally.statuses
    often = sorted(tally.shared.values(), key=lambda it: (-it.submissions, it.id))[:_OFTEN]
    return Summary(
        len(tally.students),
        statuses.total() - statuses[MISSING],
        statuses["passed"],
        statuses["failed"],
        statuses["not_started"],
        statuses[MISSING],
        statuses["error"],
        [(it.id, it.submissions) for it in often],
    )


# The teacher's page


def _write_page(store: Store, path: Path, tally: Tally, feedback: Feedback) -> None:
    exercises = sorted(tally.exercises.values(), key=lambda it: it.name)
    facts: dict[str, Any] = {
        "summary": _summary(tally),
        "feedback": feedback,
        "exercises": exercises,
        "places": {it.name: number for number, it in enumerate(exercises, 1)},
        "count": len(tally.students),
        "paged": len(tally.students) > _PAGE,
        "page_size": _PAGE,
        "pages": _pages(store, tally, [it.name for it in exercises]),
        "struggling": tally.struggling(_STRUGGLING),
        "failing": sum(1 for it in tally.students.values() if it.statuses["failed"]),
        "nothing": tally.nothing(),
        "names": _NAMES,
        "shared": tally.ranked(),
        "faults": tally.faults,
        "fault_limit": _FAULTS,
        "words": WORDS,
    }
    with replacing(path) as opened:
        for text in _environment().get_template("report.html.j2").generate(facts):
            opened.write(text.translate(_CONTROLS))


def _pages(store: Store, tally: Tally, exercises: Sequence[str]) -> Iterator[Page]:
    """Yield the heat map in pages, reading results as rows are asked for."""
    rows = (
        _row(tally.students[student], list(results), exercises)
        for student, results in groupby(store.results(), key=lambda it: it.student)
    )
    first, count = 1, len(tally.students)
    for row in rows:
        page = chain([row], islice(rows, _PAGE - 1))
        yield Page(first, min(first + _PAGE - 1, count), page)
        first += _PAGE


def _row(tally: StudentTally, results: Sequence[Result], exercises: Sequence[str]) -> Row:
    found = {result.exercise: result for result in results}
    handed_in = tally.statuses[MISSING] < tally.count
    link = f"submissions/{quote(safe_name(tally.name))}/" if handed_in else ""
    return Row(tally, link, [_cell(found.get(exercise)) for exercise in exercises])


def _cell(result: Result | None) -> Cell:
    if result is None:  # this student was not asked for it, or it is not graded yet
        return Cell("none", "", "nothing known")
    word = WORDS[result.status]
    if result.status not in ("passed", "failed"):
        return Cell(result.status.replace("_", "-"), _MARKS[result.status], word, word)
    if result.status == "passed":
        return Cell("passed", "100", word)
    # 99.6 % is not passed, and must not look so.
    percent = min(99, round(100 * result.score))
    named = ", ".join(told.named(result)) or "no known misconception"
    return Cell(f"s{percent * _STEPS // 100}", str(percent), f"{word}: {named}")


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.0f}\u202f%"
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["seconds"] = lambda time: f"{time:.2f} s" if time < 10 else f"{time:.0f} s"
    made.filters["width"] = lambda part, whole: f"{100 * part / whole if whole else 0:.1f}%"
    return made
