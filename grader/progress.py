"""What the grader remembers of a learner: attempts, hints, solutions looked at, in SQLite.

The file stands in the user's state folder (`ATTENTION_DOJO_STATE` names another). Nothing here ever ends a
grading: what cannot be read counts as nothing, what cannot be written is told in a line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from grader.verdict import Verdict

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, exercise TEXT NOT NULL, status TEXT NOT NULL,
    score REAL NOT NULL, seconds REAL NOT NULL, seed INTEGER NOT NULL, misconceptions TEXT NOT NULL,
    digest TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_of ON attempts (exercise, at);
CREATE TABLE IF NOT EXISTS hints (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, exercise TEXT NOT NULL, hint TEXT NOT NULL,
    UNIQUE (exercise, hint));
CREATE TABLE IF NOT EXISTS solutions (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, exercise TEXT NOT NULL);
"""
# A longer gap between two events is a break, not work.
BREAK_SECONDS = 15 * 60
_WAIT_SECONDS = 5.0
_DAMAGE = ("not a database", "malformed", "no such column", "disk image")


def state_folder() -> Path:
    """Return the folder of everything that is remembered between runs."""
    told = os.environ.get("ATTENTION_DOJO_STATE")
    return Path(told) if told else Path(platformdirs.user_state_dir("attention-dojo", appauthor=False))


@dataclass(frozen=True)
class Attempt:
    """One graded answer."""

    exercise: str
    status: str
    score: float
    misconceptions: Sequence[str]
    at: float


@dataclass
class Record:
    """What is known of one exercise.

    `seconds` is the time spent on it, about: the gaps between its events, breaks left out.
    `misconceptions` counts the attempts that met each.
    """

    exercise: str
    attempts: int = 0
    passed_at: float | None = None
    best: float = 0.0
    seconds: float = 0.0
    hints: int = 0
    solution_shown: bool = False
    misconceptions: dict[str, int] = field(default_factory=dict)
    last: Attempt | None = None

    @property
    def passed(self) -> bool:
        """Whether some attempt passed."""
        return self.passed_at is not None


class Progress:
    """A learner's record. Several processes may use it at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or state_folder()) / "progress.sqlite3"
        self.trouble = ""

    @contextlib.contextmanager
    def connection(self, schema: str = _SCHEMA) -> Iterator[sqlite3.Connection]:
        """One transaction: committed as a whole, or not at all. Raises sqlite3.Error and OSError.

        A file that is no database any more is set aside, and a new one begun.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            database = self._open(schema)
        except sqlite3.DatabaseError as error:
            if not any(word in str(error) for word in _DAMAGE):
                raise
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            os.replace(self.path, aside)
            self.trouble = f"Your progress could not be read ({error}); it is kept as {aside}."
            database = self._open(schema)
        try:
            with database:
                yield database
        finally:
            database.close()

    def _open(self, schema: str) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_WAIT_SECONDS)
        try:
            # Home folders may be on a network, where a write-ahead log does not work.
            database.executescript(schema)
        except BaseException:
            database.close()
            raise
        return database

    def add_attempt(self, verdict: Verdict, digest: str) -> str:
        """Note a verdict. Returns "" or, in a line, why it could not be noted.

        An untouched stub, a fault of the grader and the same answer graded again are no attempts.
        """
        if verdict.not_started or verdict.fault:
            return ""
        named = list(dict.fromkeys(check.misconception for check in verdict.checks if check.misconception))
        row = (
            time.time(), verdict.exercise, verdict.status, verdict.score, verdict.seconds, verdict.seed,
            json.dumps(named), digest,
        )  # fmt: skip
        query = "SELECT digest, status FROM attempts WHERE exercise = ? ORDER BY id DESC LIMIT 1"
        try:
            with self.connection() as database:
                database.execute("BEGIN IMMEDIATE")
                last = database.execute(query, [verdict.exercise]).fetchone()
                if last != (digest, verdict.status):
                    columns = "at, exercise, status, score, seconds, seed, misconceptions, digest"
                    database.execute(f"INSERT INTO attempts ({columns}) VALUES (?,?,?,?,?,?,?,?)", row)
        except (sqlite3.Error, OSError) as error:
            return self._untold(error)
        return self.trouble

    def add_hint(self, exercise: str, hint: str) -> str:
        """Note that a hint was shown: "1" to "3", or a misconception's id. Returns as `add_attempt`."""
        return self._insert("hints", "at, exercise, hint", [time.time(), exercise, hint])

    def add_solution(self, exercise: str) -> str:
        """Note that the solution was shown. Returns as `add_attempt`."""
        return self._insert("solutions", "at, exercise", [time.time(), exercise])

    def _insert(self, table: str, columns: str, values: Sequence[object]) -> str:
        marks = ",".join("?" * len(values))
        try:
            with self.connection() as database:
                database.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", values)
        except (sqlite3.Error, OSError) as error:
            return self._untold(error)
        return self.trouble

    def _untold(self, error: Exception) -> str:
        return f"Your progress could not be saved in {self.path}: {error}."

    def hints(self, exercise: str) -> list[str]:
        """List the hints already shown for an exercise, in that order."""
        rows = self._rows("SELECT hint FROM hints WHERE exercise = ? ORDER BY id", [exercise])
        return [str(row[0]) for row in rows]

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        if not self.path.exists():
            return []
        try:
            with self.connection() as database:
                return database.execute(query, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"Your progress could not be read from {self.path}: {error}."
            return []

    def records(self) -> dict[str, Record]:
        """Return what is known, by exercise."""
        found: dict[str, Record] = {}

        def of(exercise: object) -> Record:
            return found.setdefault(str(exercise), Record(str(exercise)))

        columns = "at, exercise, status, score, misconceptions"
        events: list[tuple[float, str]] = []
        for at, exercise, status, score, named in self._rows(f"SELECT {columns} FROM attempts ORDER BY id"):
            attempt = Attempt(str(exercise), str(status), float(score), json.loads(str(named)), float(at))  # type: ignore[arg-type]
            _count(of(exercise), attempt)
            events.append((attempt.at, attempt.exercise))
        for at, exercise in self._rows("SELECT at, exercise FROM hints"):
            of(exercise).hints += 1
            events.append((float(at), str(exercise)))  # type: ignore[arg-type]
        for _, exercise in self._rows("SELECT at, exercise FROM solutions"):
            of(exercise).solution_shown = True
        for exercise, seconds in _time_spent(events).items():
            of(exercise).seconds = seconds
        return found


def remember(verdict: Verdict, source: bytes) -> str:
    """Note a verdict on the learner's own file. Returns as `Progress.add_attempt`."""
    return Progress().add_attempt(verdict, hashlib.sha256(source).hexdigest())


def _count(record: Record, attempt: Attempt) -> None:
    record.attempts += 1
    record.last = attempt
    record.best = max(record.best, attempt.score)
    if attempt.status == "passed" and record.passed_at is None:
        record.passed_at = attempt.at
    for id in attempt.misconceptions:
        record.misconceptions[id] = record.misconceptions.get(id, 0) + 1


def _time_spent(events: Iterable[tuple[float, str]]) -> Mapping[str, float]:
    """Seconds by exercise: each gap belongs to the event that ends it."""
    spent: dict[str, float] = {}
    before: float | None = None
    for at, exercise in sorted(events):
        gap = 0.0 if before is None else at - before
        spent[exercise] = spent.get(exercise, 0.0) + (gap if 0 <= gap <= BREAK_SECONDS else 0.0)
        before = at
    return spent
