"""Writes the teacher's page: one HTML file without scripts, as safe with strangers' names as with ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2

from grader.classroom import feedback as told
from grader.classroom.collect import Aside
from grader.classroom.feedback import WORDS
from grader.classroom.paths import Names, replacing
from grader.classroom.store import MISSING, Result, Store, by_name
from grader.classroom.tally import StudentTally, Tally
from grader.templates import environment

_TEMPLATES = Path(__file__).parent / "templates"
_PAGE = 400  # students in one table of the heat map
_NAMES = 400  # names in one list
_FILES, _FILES_OF_ONE = 200, 10  # left aside, in all and of one student
_STRUGGLING, _FAULTS = 25, 50
_STEPS = 5  # colours of the heat map below "passed"
# What HTML does not allow, whatever a message or a name holds.
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd")
_MARKS = {"passed": "", "failed": "", "not_started": "○", MISSING: "–", "error": "!"}


class Cell(NamedTuple):
    """A cell of the heat map: its colour's class, what it shows, what it says when pointed at."""

    kind: str
    text: str
    title: str
    word: str = ""  # what is read aloud where the text is a mark
    link: str = ""  # to what the student reads


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


class AsideOf(NamedTuple):
    """What of one student was left aside ("": whose it is nobody can tell), and how much more there is."""

    student: str
    files: Sequence[Aside]
    more: int


def write_page(
    store: Store,
    path: Path,
    tally: Tally,
    names: Names,
    aside: Sequence[Aside],
) -> None:
    """Write the page, row by row. Raises OSError."""
    exercises = sorted(tally.exercises.values(), key=lambda it: it.name)
    left_aside = _by_student(aside)
    facts: dict[str, Any] = {
        "summary": tally.summary(),
        "exercises": exercises,
        "places": {it.name: number for number, it in enumerate(exercises, 1)},
        "count": len(tally.students),
        "paged": len(tally.students) > _PAGE,
        "page_size": _PAGE,
        "pages": _pages(store, tally, names, [it.name for it in exercises]),
        "struggling": tally.struggling(_STRUGGLING),
        "failing": sum(1 for it in tally.students.values() if it.statuses["failed"]),
        "nothing": tally.nothing(),
        "names": _NAMES,
        "shared": tally.ranked(),
        "faults": tally.faults,
        "fault_limit": _FAULTS,
        "words": WORDS,
        "aside": left_aside,
        "aside_count": len(aside),
        "aside_unshown": len(aside) - sum(len(it.files) + it.more for it in left_aside),
    }
    with replacing(path) as opened:
        for text in _environment().get_template("report.html.j2").generate(facts):
            opened.write(text.translate(_CONTROLS))


def _by_student(aside: Sequence[Aside]) -> list[AsideOf]:
    """Return what was left aside, by student, as much of it as a page can hold."""
    found: list[AsideOf] = []
    left = _FILES
    in_order = sorted(aside, key=lambda it: (by_name(it.student), it.file))
    for student, files in groupby(in_order, key=lambda it: it.student):
        if left <= 0:
            break
        several = list(files)
        shown = several[: min(_FILES_OF_ONE, left)]
        left -= len(shown)
        found.append(AsideOf(student, shown, len(several) - len(shown)))
    return found


def _pages(store: Store, tally: Tally, names: Names, exercises: Sequence[str]) -> Iterator[Page]:
    """Yield the heat map in pages, reading results as rows are asked for."""
    rows = (
        _row(tally.students[student], list(results), names, exercises)
        for student, results in groupby(store.results(), key=lambda it: it.student)
    )
    first, count = 1, len(tally.students)
    for row in rows:
        page = chain([row], islice(rows, _PAGE - 1))
        yield Page(first, min(first + _PAGE - 1, count), page)
        first += _PAGE


def _row(tally: StudentTally, results: Sequence[Result], names: Names, exercises: Sequence[str]) -> Row:
    found = {result.exercise: result for result in results}
    folder = f"submissions/{quote(names.students[tally.name])}/"
    cells = [_cell(found.get(exercise), folder, names) for exercise in exercises]
    return Row(tally, folder if any(cell.link for cell in cells) else "", cells)


def _cell(result: Result | None, folder: str, names: Names) -> Cell:
    if result is None:  # this student was not asked for it, or it is not graded yet
        return Cell("none", "", "nothing known")
    word = WORDS[result.status]
    link = "" if result.status == MISSING else f"{folder}{quote(names.exercises[result.exercise])}.txt"
    if result.status not in ("passed", "failed"):
        return Cell(result.status.replace("_", "-"), _MARKS[result.status], word, word, link)
    percent = told.percent(result)
    if result.status == "passed":
        return Cell("passed", str(percent), word, link=link)
    why = ", ".join(told.named(result)) or told.reason(result)
    return Cell(f"s{percent * _STEPS // 100}", str(percent), f"{word}: {why}", link=link)


@cache
def _environment() -> jinja2.Environment:
    made = environment(_TEMPLATES, html=True)
    made.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.0f}\u202f%"
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["seconds"] = lambda time: f"{time:.2f} s" if time < 10 else f"{time:.0f} s"
    made.filters["width"] = lambda part, whole: f"{100 * part / whole if whole else 0:.1f}%"
    return made
