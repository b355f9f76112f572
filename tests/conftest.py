from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import judging, registry, sources
from grader.exercise import Exercise
from grader.interview import bench
from grader.verdict import Verdict
from grader.workers import Worker

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """One warm worker for all tests of a process: gradings fork from it and cannot touch each other."""
    with Worker() as started:
        yield started


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of its own for each test: never that of whoever runs them."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ATTENTION_DOJO_STATE", str(folder))
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for all that an interview writes."""
    monkeypatch.setenv("ATTENTION_DOJO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(bench, "home", lambda: tmp_path / "interviews")
    return tmp_path


@pytest.fixture
def grade_text(worker: Worker, tmp_path: Path) -> Callable[..., Verdict]:
    """Grade source text as a learner's file."""

    def grade(number: int, text: str | bytes, *, suffix: str = ".py", using: Worker = worker) -> Verdict:
        exercise = registry.load(number)
        path = tmp_path / f"{exercise.name}{suffix}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return judging.grade(exercise, path, using, seed=1)

    return grade


def copy_project(root: Path) -> Path:
    """Copy the project, with all exercises as stubs; Python with PYTHONPATH=root uses this copy."""
    for folder in ("grader", "exercises", "solutions", "notebooks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns(".*", "source"))
    for path in (root / "exercises").glob("exercise_*.py"):
        path.write_text(sources.stub_text(root / "solutions" / path.name), encoding="utf-8")
    return root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project whose desk may be written to."""
    root = copy_project(tmp_path / "project")
    monkeypatch.setenv("PYTHONPATH", str(root))
    return root


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
