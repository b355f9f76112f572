"""What is remembered of a learner: kept whole by two graders at once, a full disk and a damaged file."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from grader import hints, overview, progress, registry
from grader.progress import Progress, Record
from grader.verdict import CheckResult, Verdict

WRITE = """
import sys
from grader.progress import Progress
from grader.verdict import CheckResult, Verdict
for number in range(40):
    verdict = Verdict("exercise_03", number, "none", [CheckResult("a check", "failed")])
    said = Progress().add_attempt(verdict, f"{sys.argv[1]}-{number}")
    assert not said, said
"""


def verdict(exercise: str = "exercise_03", *named: str, passed: bool = False) -> Verdict:
    checks = [CheckResult(f"check {id}", "failed", misconception=id) for id in named]
    checks.append(CheckResult("another", "passed" if passed else "failed"))
    return Verdict(exercise, 1, "none", checks, 0.2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    return lambda minute: monkeypatch.setattr(progress.time, "time", lambda: 1e9 + 60 * minute)


def test_attempts_passes_time_hints_and_misconceptions(clock) -> None:
    record = Progress()
    clock(0)
    record.add_hint("exercise_03", "1")
    clock(4)
    record.add_attempt(verdict("exercise_03", "no-scaling"), "a")
    clock(10)
    record.add_attempt(verdict("exercise_03", "no-scaling", "mask-inverted"), "b")
    clock(100)  # a break
    record.add_attempt(verdict("exercise_03", passed=True), "c")
    clock(101)
    record.add_attempt(verdict("exercise_04"), "d")
    record.add_solution("exercise_03")
    found = Progress().records()
    third = found["exercise_03"]
    assert (third.attempts, third.passed, third.best, third.hints) == (3, True, 1.0, 1)
    assert third.solution_shown
    assert third.seconds == 600
    assert third.misconceptions == {"no-scaling": 2, "mask-inverted": 1}
    assert found["exercise_04"].seconds == 60
    assert not found["exercise_04"].passed


def test_what_is_no_attempt() -> None:
    record = Progress()
    unstarted, fault = verdict(), verdict()
    unstarted.not_started, fault.fault = True, "the grader broke"
    assert record.add_attempt(unstarted, "a") == record.add_attempt(fault, "a") == ""
    assert not record.records()
    for _ in range(2):  # the same answer again
        record.add_attempt(verdict(), "a")
    assert record.records()["exercise_03"].attempts == 1


def test_graders_at_once_lose_nothing(state: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", WRITE, str(number)]) for number in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert Progress().records()["exercise_03"].attempts == 120


def test_a_full_disk_is_told_and_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Progress()
    record.add_attempt(verdict(), "a")

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql.startswith("INSERT"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Full, **k))
        assert "disk is full" in record.add_attempt(verdict(), "b")
        assert "disk is full" in record.add_hint("exercise_03", "1")
    assert record.records()["exercise_03"].attempts == 1
    assert record.add_attempt(verdict(), "b") == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_the_disk_is_really_full(state: Path) -> None:
    state.mkdir()
    (state / "progress.sqlite3").symlink_to("/dev/full")
    assert "could not be saved" in Progress().add_attempt(verdict(), "a")
    assert Progress().records() == {}


def test_a_damaged_file_is_set_aside(state: Path) -> None:
    state.mkdir()
    (state / "progress.sqlite3").write_bytes(b"this is no database" * 100)
    said = Progress().add_attempt(verdict(), "a")
    assert "could not be read" in said
    assert [path.read_bytes()[:7] for path in state.glob("*.damaged-*")] == [b"this is"]
    assert Progress().records()["exercise_03"].attempts == 1


def test_a_folder_that_cannot_be_made_is_told(state: Path) -> None:
    state.write_text("a file where the folder should be")
    assert "could not be saved" in Progress().add_hint("exercise_03", "1")
    assert Progress().records() == {}


def test_the_hint_for_the_last_mistake_comes_first() -> None:
    exercise, record = registry.load(3), Progress()
    record.add_attempt(verdict("exercise_03", "no-scaling"), "a")
    (first,), _ = hints.take(exercise, record)
    assert first.key == "no-scaling"
    assert first.text == exercise.misconceptions["no-scaling"].explanation
    assert "sqrt" not in first.code  # how it looks when it is wrong, not when it is right
    for count in (1, 2, 3, 3):
        shown, _ = hints.take(exercise, record)
        assert [hint.key for hint in shown] == ["1", "2", "3"][:count]
    assert hints.is_last(exercise, shown)
    record.add_attempt(verdict("exercise_03", "no-scaling", "wrong-precision"), "b")
    assert [hint.key for hint in hints.due(exercise, record)] == ["wrong-precision"]
    record.add_attempt(verdict("exercise_03", passed=True), "c")
    assert len(hints.due(exercise, record)) == 3


def test_hints_about_mistakes_never_show_the_right_line() -> None:
    for number in registry.numbers():
        exercise = registry.load(number)
        right = registry.solution_file(exercise.name).read_text(encoding="utf-8").splitlines()
        known = {line.strip() for line in right}
        for misconception in exercise.misconceptions.values():
            hint = hints._about(exercise, misconception)
            assert hint.text
            assert len(hint.code.splitlines()) <= 3
            assert not known & set(hint.code.splitlines()), misconception.id


def test_status_shows_bars_and_what_is_next(
    run_cli: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    record = Progress()
    record.add_attempt(verdict("exercise_01", passed=True), "a")
    record.add_attempt(verdict("exercise_02", "scaled"), "b")
    shown = run_cli("status").stdout
    assert "1 of 14" in shown
    assert "Next: python -m grader exercise_02" in shown
    assert "Mistakes met most: scaled (1)" in shown


def test_status_fits_a_narrow_terminal() -> None:
    record = Progress()
    for number in range(3):
        record.add_attempt(
            verdict("exercise_03", "no-scaling", "mask-inverted", "scaled-by-width"), str(number)
        )
    exercises = [registry.load(number) for number in registry.numbers()]
    out = Console(width=80, record=True, force_terminal=True, file=io.StringIO())
    overview.show_status(exercises, record, out)
    assert max(map(len, out.export_text().splitlines())) <= 80


@pytest.mark.parametrize(
    ("seconds", "told"), [(20, ""), (60, "1 min"), (3599, "1 h 00 min"), (3700, "1 h 02 min")]
)
def test_durations(seconds: float, told: str) -> None:
    assert overview.duration(seconds) == told


def test_states() -> None:
    assert overview.state(Record("a")) == "open"
    assert overview.state(Record("a", attempts=2)) == "tried"
    assert overview.state(Record("a", attempts=2, passed_at=1.0)) == "passed"
