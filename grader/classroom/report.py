"""Writes a class's report: grades, a page for the teacher, a file for each submission.

Results are read from the store one at a time, more than once, and written as they come: what is kept are
counts and names, so ten thousand submissions need no more memory than a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from grader.classroom import feedback as told
from grader.classroom import formats
from grader.classroom.collect import Aside
from grader.classroom.feedback import Feedback
from grader.classroom.formats import Format
from grader.classroom.page import write_page
from grader.classroom.paths import Manifest, Names, replace, replacing, safe_names
from grader.classroom.store import MISSING, Result, Store
from grader.classroom.tally import Summary, Tally

__all__ = ["Summary", "write"]

_FILES: dict[str, Format] = {"nbgrader.csv": "nbgrader", "junit.xml": "junit"}


def write(
    store: Store,
    folder: Path,
    *,
    feedback: Feedback = "full",
    formats: Sequence[Format] = (),
    ids: Mapping[str, str] | None = None,
    aside: Sequence[Aside] = (),
) -> Summary:
    """Write the report. Raises OSError.

    Files are replaced whole. What an earlier report wrote and this one does not (a student who left, a
    format no longer asked for) is removed; no other file is.

    Args:
        store: The class's results.
        folder: Where to; made when it is not there.
        feedback: What the files for students tell: everything, names of checks and misconceptions, or the
            score. The teacher's page tells everything always.
        formats: What to write besides the CSV files, `report.html` and `submissions/`.
        ids: What the platform calls students, by name, for `gradebook.csv`.
        aside: What was not graded, for the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(folder)
    tally = Tally(store.results())
    names = Names(safe_names(tally.students), safe_names(tally.exercises))
    planned = {name for name, wanted in _FILES.items() if wanted in formats}
    for result in store.results():
        planned.update(_files(result, names, formats))
    written = manifest.read()
    manifest.write(written | planned)  # first, so that a crash leaves nothing that nobody knows of
    # Before the rest is written: where case does not count, an old name may be a new one's.
    manifest.remove(written - planned)
    _write_files(store, folder, names, feedback, formats)
    _write_gradebook(store, folder / "gradebook.csv", tally, ids or {})
    write_page(store, folder / "report.html", tally, names, aside)
    manifest.write(planned)
    return tally.summary()


def _files(result: Result, names: Names, wanted: Sequence[Format]) -> Iterator[str]:
    """Yield the files of one submission, relative to the report."""
    if result.status == MISSING:
        return
    student, exercise = names.students[result.student], names.exercises[result.exercise]
    yield f"submissions/{student}/{exercise}.json"
    yield f"submissions/{student}/{exercise}.txt"
    if "gradescope" in wanted:
        yield f"gradescope/{student}/{exercise}/results.json"


def _write_files(
    store: Store, folder: Path, names: Names, feedback: Feedback, wanted: Sequence[Format]
) -> None:
    """Write what has a row, a case or a file for each submission, in one pass."""
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
            for path in _files(result, names, wanted):
                replace(folder / path, _content(path, result, feedback))


def _content(path: str, result: Result, feedback: Feedback) -> str:
    if path.endswith(".txt"):
        return told.text(result, feedback)
    for_gradescope = path.startswith("gradescope/")
    document = (formats.gradescope if for_gradescope else told.document)(result, feedback)
    return json.dumps(document, ensure_ascii=False) + "\n"


def _write_gradebook(store: Store, path: Path, tally: Tally, ids: Mapping[str, str]) -> None:
    means = {student.name: student.mean for student in tally.students.values()}
    with replacing(path, "utf-8-sig") as opened:
        rows = formats.Gradebook(opened, sorted(tally.exercises), means, ids)
        for student, results in groupby(store.results(), key=lambda it: it.student):
            rows.add(student, results)
