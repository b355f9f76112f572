"""The state of an interview, on disk after every step, and its clock.

One JSON file for each interview stands in the state folder. What cannot be written is told once, in a line,
and the interview goes on in memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from grader.files import replacing
from grader.progress import state_folder

VERSION = 1
Phase = Literal["waiting", "asked", "shown", "done", "left out"]


class Grading(msgspec.Struct):
    """One grading of an exercise: the counts, and the mistakes by name with what they are."""

    at: float
    status: str
    score: float
    passed: int
    checks: int
    seed: int
    mistakes: dict[str, str] = {}


class Item(msgspec.Struct):
    """A question or an exercise, and all that happened with it.

    `marks` are for `points` and then, when there is one, for the `slip`: what is often said and wrong.
    """

    key: str
    kind: Literal["question", "exercise"]
    number: int
    title: str
    topic: str
    minutes: float
    reason: str = ""
    title_zh: str = ""
    phase: Phase = "waiting"
    seconds: float = 0.0
    answer: str = ""
    skipped: bool = False
    points: list[str] = []
    slip: str = ""
    marks: list[bool] = []
    gradings: list[Grading] = []
    score: float | None = None
    rating: int | None = None
    due: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.phase in ("done", "left out")

    @property
    def missed(self) -> list[str]:
        """The points that were not said."""
        said = [*self.marks, *[False] * len(self.points)]
        return [point for point, mark in zip(self.points, said, strict=False) if not mark]


class Interview(msgspec.Struct):
    """An interview.

    `id` is when it began, as a name; `ended` is when it ended, None while it has not; `aside`: another one
    was begun instead.
    """

    id: str
    seed: int
    minutes: int
    started: float
    items: list[Item]
    topics: list[str] = []
    ended: float | None = None
    folder: str = ""
    aside: bool = False
    version: int = VERSION

    @property
    def seconds(self) -> float:
        """The time spent, pauses left out."""
        return sum(item.seconds for item in self.items)

    @property
    def begun_at(self) -> datetime:
        """When it began, in local time."""
        return datetime.fromtimestamp(self.started, UTC).astimezone()

    @property
    def score(self) -> float | None:
        """The mean score, by planned minutes; None when nothing was done."""
        counted = [item for item in self.items if item.score is not None]
        weights = sum(item.minutes for item in counted)
        return sum((item.score or 0.0) * item.minutes for item in counted) / weights if weights else None


@dataclass(frozen=True)
class Clock:
    """Where time comes from: `monotonic` for how long, `now` for which day (UTC)."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def minutes_and_seconds(seconds: float) -> str:
    """Write a length of time as "4:05"; a negative one as "0:00"."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


class Store:
    """The folder of all interviews."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or state_folder()) / "interviews"

    def path(self, id: str) -> Path:
        """Return an interview's file."""
        return self.folder / f"{id}.json"

    def new_id(self, now: datetime) -> str:
        """Name an interview after the moment that it begins at."""
        stamp = now.astimezone().strftime("%Y%m%d-%H%M%S")
        names = (stamp if number == 1 else f"{stamp}-{number}" for number in range(1, 1000))
        return next(name for name in names if not self.path(name).exists())

    def save(self, interview: Interview) -> None:
        """Replace the file at once, never half of it. Raises OSError."""
        with replacing(self.path(interview.id), "wb", durable=True) as file:
            file.write(msgspec.json.format(msgspec.json.encode(interview), indent=1))

    def load(self, id: str) -> Interview:
        """Read an interview. Raises OSError and ValueError."""
        try:
            found = msgspec.json.decode(self.path(id).read_bytes(), type=Interview)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{self.path(id)} cannot be read: {error}") from error
        if found.version > VERSION:
            raise ValueError(f"{self.path(id)} was written by a newer version")
        return found

    def all(self) -> tuple[list[Interview], list[str]]:
        """Return every interview, the latest first, and a line for each that cannot be read."""
        found, troubles = [], []
        for path in sorted(self.folder.glob("*.json"), reverse=True):
            try:
                found.append(self.load(path.stem))
            except (OSError, ValueError) as error:
                troubles.append(str(error))
        return found, troubles

    @contextlib.contextmanager
    def held(self, id: str) -> Iterator[bool]:
        """Hold an interview against a second terminal; False when another process has it."""
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((self.folder / f".{id}.lock").open("w"))
            except OSError:  # where nothing can be written there is nothing to protect
                yield True
                return
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # a file system without locks
                yield True
                return
            yield True
            with contextlib.suppress(OSError):
                os.unlink(file.name)


class Session:
    """An interview that is going on. Its clock runs while an item is open; every change is saved."""

    def __init__(
        self, interview: Interview, store: Store, clock: Clock, tell: Callable[[str], None] = print
    ) -> None:
        self.interview = interview
        self.store = store
        self.clock = clock
        self._tell = tell
        self.saved = False
        self._told: set[str] = set()
        self._open: Item | None = None
        self._since = 0.0

    def tell_once(self, trouble: str) -> None:
        """Say a line of trouble, the same one only once."""
        if trouble and trouble not in self._told:
            self._told.add(trouble)
            self._tell(trouble)

    def open(self, item: Item) -> None:
        """Let the clock run for an item."""
        self._open, self._since = item, self.clock.monotonic()

    def _tick(self) -> None:
        now = self.clock.monotonic()
        if self._open is not None:
            self._open.seconds += now - self._since
        self._since = now

    def close(self) -> None:
        """Stop the clock."""
        self._tick()
        self._open = None
        self.save()

    def save(self) -> None:
        """Save everything, the time spent included."""
        self._tick()
        try:
            self.store.save(self.interview)
            self.saved = True
        except OSError as error:
            self.saved = False
            reason = error.strerror or error
            self.tell_once(
                f"This interview cannot be saved in {self.store.folder}: {reason}. It goes on; "
                "interrupted now, it would be lost."
            )

    def keep_draft(self, item: Item, text: str) -> None:
        """Save an answer that is still being written."""
        if text != item.answer:
            item.answer = text
            self.save()

    @property
    def running(self) -> float:
        """Seconds since the last save."""
        return self.clock.monotonic() - self._since if self._open is not None else 0.0

    @property
    def left(self) -> float:
        """Seconds left; negative when the time is up."""
        return self.interview.minutes * 60 - self.interview.seconds - self.running

    def spent(self, item: Item) -> float:
        """Seconds spent on an item."""
        return item.seconds + (self.running if item is self._open else 0.0)
