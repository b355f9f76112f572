"""What is known of a class, in SQLite: written as it comes, so that a crash loses only what was running."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS results (
    student TEXT NOT NULL, exercise TEXT NOT NULL, file TEXT NOT NULL, digest TEXT NOT NULL,
    grader TEXT NOT NULL, status TEXT NOT NULL, score REAL NOT NULL, seconds REAL NOT NULL,
    document TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', PRIMARY KEY (student, exercise)) WITHOUT ROWID;
"""
_COLUMNS = "student, exercise, file, digest, grader, status, score, seconds, document, reason"
MISSING = "missing"


@dataclass(frozen=True)
class Result:
    """What became of one student's exercise.

    `status` is a verdict's ("passed", "failed", "not_started", "error": the grader failed) or "missing".
    `document` is the verdict as `--json` prints it; without checks where nothing was handed in.
    `digest` is of what was handed in, `grader` of the grader that judged it. `reason` says in a word or two
    why it failed, where no misconception was named.
    """

    student: str
    exercise: str
    file: str = ""
    digest: str = ""
    grader: str = ""
    status: str = MISSING
    score: float = 0.0
    seconds: float = 0.0
    document: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def checks(self) -> Sequence[Mapping[str, Any]]:
        """The verdict's checks: name, status, message, misconception, seconds."""
        return self.document.get("checks", [])

    @property
    def misconceptions(self) -> list[str]:
        """The misconceptions that were named, each once."""
        return list(
            dict.fromkeys(check["misconception"] for check in self.checks if check["misconception"])
        )


class Store:
    """The results of one class. One process writes; raises sqlite3.Error and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=10.0)
        self._database.executescript(_SCHEMA)
        columns = self._database.execute("PRAGMA table_info(results)").fetchall()
        if "reason" not in [column[1] for column in columns]:  # written before there was one
            self._database.execute("ALTER TABLE results ADD COLUMN reason TEXT NOT NULL DEFAULT ''")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def fact(self, name: str, value: str) -> str:
        """Return what is noted under a name; note `value` where there is nothing yet."""
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", [name, value])
        query = "SELECT value FROM facts WHERE name = ?"
        return str(self._database.execute(query, [name]).fetchone()[0])

    def replace_fact(self, name: str, value: str) -> None:
        """Note a value, whatever was noted before."""
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])

    def add(self, results: Sequence[Result]) -> None:
        """Keep results, in one transaction; each replaces what was known of that student's exercise."""
        rows = [
            (
                it.student, it.exercise, it.file, it.digest, it.grader, it.status, it.score, it.seconds,
                json.dumps(it.document, ensure_ascii=False), it.reason,
            )
            for it in results
        ]  # fmt: skip
        with self._database:
            marks = ",".join("?" * len(_COLUMNS.split(",")))
            self._database.executemany(
                f"INSERT OR REPLACE INTO results ({_COLUMNS}) VALUES ({marks})", rows
            )

    def known(self) -> dict[tuple[str, str], tuple[str, str, str]]:
        """Return digest, grader and status of what is there, by student and exercise."""
        rows = self._database.execute("SELECT student, exercise, digest, grader, status FROM results")
        return {
            (student, exercise): (digest, grader, status)
            for student, exercise, digest, grader, status in rows
        }

    def forget(self, keys: Sequence[tuple[str, str]]) -> None:
        """Drop results of students and exercises that are no longer in the class."""
        with self._database:
            self._database.executemany("DELETE FROM results WHERE student = ? AND exercise = ?", keys)

    def students(self) -> list[str]:
        """Return everybody of whom something is known, by name, as people sort: case apart."""
        rows = self._database.execute("SELECT DISTINCT student FROM results")
        return sorted((name for (name,) in rows), key=by_name)

    def results(self) -> Iterator[Result]:
        """Yield all results by student and exercise, one at a time: a course may have ten thousand."""
        query = f"SELECT {_COLUMNS} FROM results WHERE student = ? ORDER BY exercise"
        for student in self.students():
            for row in self._database.execute(query, [student]):
                known = dict(zip(_COLUMNS.split(", "), row, strict=True))
                yield Result(**{**known, "document": json.loads(known["document"])})


def by_name(name: str) -> tuple[str, str]:
    """Return what to sort a name by: capitals do not come first."""
    return name.casefold(), name
