"""When each question and exercise comes back: cards of the FSRS scheduler, in the learner's record.

An item is called "question:09" or "exercise:05". Every review is also kept as it was, so that cards can be
computed again should the scheduler change.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from fsrs import Card, Rating, Scheduler

from grader.progress import Progress

__all__ = ["RATINGS", "Due", "Rating", "Reviews", "item_key", "suggested", "when"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS review_cards (
    item TEXT PRIMARY KEY, card TEXT NOT NULL, due REAL NOT NULL, score REAL NOT NULL,
    seen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, item TEXT NOT NULL, rating INTEGER NOT NULL,
    score REAL NOT NULL, seconds REAL NOT NULL, interview TEXT NOT NULL, UNIQUE (interview, item));
"""
RATINGS = {1: "again", 2: "hard", 3: "good", 4: "easy"}
_HARD_FROM, _GOOD_FROM = 0.4, 0.7


@dataclass(frozen=True)
class Due:
    """An item's card in short: when it is due, the last score (0 to 1), how often it was asked."""

    item: str
    at: datetime
    score: float
    seen: int

    def is_due(self, now: datetime) -> bool:
        """Whether it is due some time today: people practise by the day, not by the hour."""
        return self.at.astimezone().date() <= now.astimezone().date()


def item_key(kind: str, number: int) -> str:
    """Name an item: `item_key("question", 9)` is "question:09"."""
    return f"{kind}:{number:02d}"


@cache
def _scheduler() -> Scheduler:
    # Interviews are practised once a day: no steps of minutes, as flash cards have, and what was forgotten
    # comes back the next day. Nobody prepares for longer than three months. No fuzz: the date that is shown
    # before a choice is the one that is kept.
    return Scheduler(
        learning_steps=[], relearning_steps=[timedelta(days=1)], maximum_interval=90, enable_fuzzing=False
    )


def suggested(score: float, easily: bool = False) -> int:
    """Suggest a rating, 1 (again) to 4 (easy), for a score.

    Args:
        score: 0 to 1.
        easily: Whether everything was right at once and in time.
    """
    if score < _HARD_FROM:
        return Rating.Again.value
    if score < _GOOD_FROM:
        return Rating.Hard.value
    return Rating.Easy.value if easily else Rating.Good.value


def when(due: datetime, now: datetime) -> str:
    """Say in words when something is due: "today", "tomorrow", "in 3 days"."""
    days = (due.astimezone().date() - now.astimezone().date()).days
    return "today" if days <= 0 else "tomorrow" if days == 1 else f"in {days} days"


class Reviews:
    """The cards. What cannot be read counts as never asked; what cannot be written is told in a line."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress or Progress()

    def all(self) -> Mapping[str, Due]:
        """Return what is known of every item that was asked."""
        if not self.progress.path.exists():
            return {}
        try:
            with self.progress.connection(_SCHEMA) as database:
                rows = database.execute("SELECT item, due, score, seen FROM review_cards").fetchall()
        except (sqlite3.Error, OSError):
            return {}
        return {
            item: Due(item, datetime.fromtimestamp(due, UTC), score, seen)
            for item, due, score, seen in rows
        }

    def outlook(self, item: str, now: datetime) -> dict[int, datetime]:
        """Return when an item would be due after each rating."""
        card = Card(due=now)
        with contextlib.suppress(sqlite3.Error, OSError), self.progress.connection(_SCHEMA) as database:
            card = _card(database, item, now)
        return {rating: _reviewed(card, rating, now).due for rating in RATINGS}

    def add(
        self, item: str, rating: int, now: datetime, *, score: float, seconds: float, interview: str
    ) -> tuple[datetime, str]:
        """Note a review.

        Args:
            item: What was asked.
            rating: 1 (again) to 4 (easy).
            now: The time, in UTC.
            score: 0 to 1.
            seconds: The time spent on it.
            interview: In which; an item is reviewed once in an interview, however often this is called.

        Returns:
            When it is due again, and "" or, in a line, why that could not be noted.
        """
        try:
            with self.progress.connection(_SCHEMA) as database:
                database.execute("BEGIN IMMEDIATE")
                card = _card(database, item, now)
                columns = "at, item, rating, score, seconds, interview"
                row = (now.timestamp(), item, rating, score, seconds, interview)
                insert = f"INSERT OR IGNORE INTO reviews ({columns}) VALUES (?,?,?,?,?,?)"
                if database.execute(insert, row).rowcount == 0:
                    return card.due, ""
                card = _reviewed(card, rating, now)
                _keep(database, item, card, score)
        except (sqlite3.Error, OSError) as error:
            trouble = f"When to repeat this could not be noted in {self.progress.path}: {error}."
            return _reviewed(Card(due=now), rating, now).due, trouble
        return card.due, self.progress.trouble


def _card(database: sqlite3.Connection, item: str, now: datetime) -> Card:
    """Return an item's card; one that cannot be read is a new one."""
    row = database.execute("SELECT card FROM review_cards WHERE item = ?", [item]).fetchone()
    if row is not None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return Card.from_json(row[0])
    return Card(due=now)


def _reviewed(card: Card, rating: int, now: datetime) -> Card:
    return _scheduler().review_card(card, Rating(rating), now)[0]


def _keep(database: sqlite3.Connection, item: str, card: Card, score: float) -> None:
    database.execute(
        "INSERT INTO review_cards (item, card, due, score, seen) VALUES (?,?,?,?,1) ON CONFLICT (item) "
        "DO UPDATE SET card = excluded.card, due = excluded.due, score = excluded.score, seen = seen + 1",
        (item, card.to_json(), card.due.timestamp(), score),
    )
