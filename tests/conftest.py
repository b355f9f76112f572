from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import judging, registry
from grader.exercise import Exercise
from grader.verdict import Verdict
from grader.workers import Worker

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """One warm worker for all tests of a process: gradings fork from it and cannot touch each other."""
    with Worker() as started:
        yield started


@pytest.fixture
def grade_text(worker: Worker, tmp_path: Path) -> Callable[..., Verdict]:
    """Grade source text as a learner's file."""

    def grade(number: int, text: str | bytes, *, suffix: str = ".py", using: Worker = worker) -> Verdict:
        exercise = registry.load(number)
        path = tmp_path / f"{exercise.name}{suffix}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return judging.grade(exercise, path, using, seed=1)

    return grade


@pytest.fixture
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m grader` as a learner would."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "grader", *arguments]
        settings = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120, **options}
        return subprocess.run(command, check=False, **settings)  # type: ignore[call-overload]

    return run


def solution(exercise: Exercise) -> str:
    return registry.solution_file(exercise.name).read_text(encoding="utf-8")
