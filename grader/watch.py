"""Regrades at every save: one screen that shows what fails now, keys for hint, next and quit."""

from __future__ import annotations

import ast
import contextlib
import os
import queue
import select
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import watchfiles
from rich.console import Console, Group
from rich.text import Text

from grader import hints, judging, registry, terminal
from grader.exercise import Exercise
from grader.progress import Progress, remember
from grader.verdict import Verdict
from grader.workers import Worker

_KEYS = "h hint   n next   q quit"
_TICK_MS = 100  # how long a key may wait


class _Quit(Exception):
    """The learner pressed q."""


class Keys:
    """Single key presses, read in the background where standard input is a terminal."""

    def __init__(self) -> None:
        self.pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ended = threading.Event()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read keys during a block; the terminal's settings are put back after it."""
        if not sys.stdin.isatty():
            yield
            return
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        thread = threading.Thread(target=self._read, args=[descriptor], daemon=True)
        try:
            tty.setcbreak(descriptor)
            thread.start()
            yield
        finally:
            self._ended.set()
            thread.join()
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _read(self, descriptor: int) -> None:
        while not self._ended.is_set():
            if select.select([descriptor], [], [], _TICK_MS / 1000)[0]:
                data = os.read(descriptor, 64)
                if not data:
                    return
                for key in data.decode(errors="ignore").lower():
                    self.pressed.put(key)

    def take(self) -> str:
        """Return the next key, "" when there is none."""
        try:
            return self.pressed.get_nowait()
        except queue.Empty:
            return ""


class Screen:
    """What is shown: replaced as a whole in a terminal, printed one after another elsewhere."""

    def __init__(self, out: Console | None = None) -> None:
        self.out = out or terminal.console()

    def show(
        self, exercise: Exercise, said: Sequence[str], verdict: Verdict | None, extra: str = ""
    ) -> None:
        """Show a verdict with what was said before it; never more than fits."""
        lines: list[Any] = [Text(line, style="bold green") for line in said]
        if verdict is not None:
            lines.append(self._rendered(exercise, verdict, extra))
        if extra:
            lines.append(Text(extra))
        if self.out.is_terminal:
            self.out.clear()
            lines.append(Text(f"watching exercises/{exercise.name}.py   {_KEYS}", style="reverse"))
        self.out.print(Group(*lines))

    def _rendered(self, exercise: Exercise, verdict: Verdict, extra: str) -> Text:
        """A verdict cut to what the screen has room for, its last lines kept: they hold the result."""
        with self.out.capture() as captured:
            terminal.show_verdict(verdict, exercise, self.out)
        lines = captured.get().rstrip("\n").split("\n")
        below = sum(1 + len(line) // self.out.width for line in extra.split("\n")) if extra else 0
        room = self.out.height - 6 - below
        if self.out.is_terminal and len(lines) > room > 8:
            lines = [*lines[: room - 4], "  …", *lines[-3:]]
        return Text.from_ansi("\n".join(lines))


class Watcher:
    """One learner's session: which exercise is watched, what was graded, what is on the screen."""

    def __init__(self, exercise: Exercise, worker: Worker, screen: Screen, keys: Keys) -> None:
        self.exercise = exercise
        self.worker = worker
        self.screen = screen
        self.keys = keys
        self.graded = b""
        self.verdict: Verdict | None = None
        self.said: list[str] = []

    @property
    def path(self) -> Path:
        """The file that is watched."""
        return registry.exercise_file(self.exercise.name)

    def source(self) -> bytes:
        """What the file holds now; nothing while an editor replaces it."""
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def look(self) -> None:
        """Grade what was saved, as often as it is saved while grading; move on when it passes."""
        while (source := self.source()) and source != self.graded:
            self.graded = source
            if not self._parses(source):
                continue
            verdict = judging.grade(self.exercise, self.path, self.worker)
            if self.source() != source:
                continue  # saved again meanwhile: this verdict is of the past
            trouble = remember(verdict, source)
            self.verdict = verdict
            self.screen.show(self.exercise, self.said, verdict, trouble)
            if verdict.passed:
                self.move_on([f"✓ {self.exercise.name} passed."])

    def _parses(self, source: bytes) -> bool:
        """Whether it is Python yet; half a line saved in mid-typing is no attempt."""
        try:
            ast.parse(source)
        except SyntaxError as error:
            where = f"line {error.lineno}: {error.msg}"
            self.screen.show(
                self.exercise,
                self.said,
                self.verdict,
                f"Not yet Python, {where}. Waiting for the next save.",
            )
            return False
        except (ValueError, RecursionError, MemoryError, OverflowError):
            return True  # the verdict says what is wrong with it
        return True

    def move_on(self, said: list[str]) -> None:
        """Go to the next exercise that is not passed; without one, stay."""
        records = Progress().records()
        passed = {name for name, record in records.items() if record.passed}
        numbers = [number for number in registry.numbers() if number > self.exercise.number]
        numbers += [number for number in registry.numbers() if number < self.exercise.number]
        left = [number for number in numbers if f"exercise_{number:02d}" not in passed]
        if not left:
            self.screen.show(self.exercise, [*said, "Every exercise is passed."], self.verdict)
            return
        self.exercise = registry.load(left[0])
        self.said = [*said, f"Now {self.exercise.name}: {self.exercise.title}"]
        self.graded, self.verdict = b"", None
        self.screen.show(self.exercise, self.said, None, "Grading …")

    def press(self, key: str) -> None:
        """Do what a key asks for. Raises _Quit."""
        if key == "q":
            raise _Quit
        if key == "n":
            self.move_on([])
            self.look()
        if key == "h":
            shown, trouble = hints.take(self.exercise, Progress())
            hint = shown[-1]
            extra = "\n".join(filter(None, ["", f"{hint.title}: {hint.text}", hint.code, trouble]))
            self.screen.show(self.exercise, self.said, self.verdict, extra)


def first_open() -> Exercise:
    """Return the first exercise that is not passed, else the first of all."""
    records = Progress().records()
    for number in registry.numbers():
        record = records.get(f"exercise_{number:02d}")
        if record is None or not record.passed:
            return registry.load(number)
    return registry.load(registry.numbers()[0])


def watch(exercise: Exercise | None, worker: Worker, out: Console | None = None) -> None:
    """Watch the learner's folder until q or Ctrl-C.

    The file's content is compared at every change of the folder, and ten times a second where changes are
    not told (network folders): editors that replace files or write them twice all come out right.
    """
    keys = Keys()
    watcher = Watcher(exercise or first_open(), worker, Screen(out), keys)
    folder = watcher.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with keys.reading(), contextlib.suppress(_Quit, KeyboardInterrupt):
        watcher.screen.show(watcher.exercise, [], None, "Grading …")
        watcher.look()
        changes = watchfiles.watch(
            folder,
            watch_filter=None,
            step=20,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            raise_interrupt=True,
        )
        for _ in changes:
            watcher.look()
            while key := keys.take():
                watcher.press(key)
