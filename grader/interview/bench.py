"""Where an interview's exercises are written and graded: a folder of their own and one warm worker."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path

from grader import desk, judging, progress, registry
from grader.confinement import WorkerStartError
from grader.exercise import Exercise
from grader.interview.session import Interview
from grader.verdict import Verdict
from grader.workers import Worker


def home() -> Path:
    """Return the folder of all interviews' files."""
    return registry.project_root() / "interviews"


def folder_of(interview: Interview) -> Path:
    """Return the folder of an interview's files, made now if need be. Raises OSError.

    Where the project cannot be written, it is a temporary folder, which the interview remembers.
    """
    chosen = where(interview)
    with contextlib.suppress(OSError):
        chosen.mkdir(parents=True, exist_ok=True)
        if os.access(chosen, os.W_OK):
            return chosen
    chosen = Path(tempfile.mkdtemp(prefix=f"interview-{interview.id}-"))
    interview.folder = str(chosen)
    return chosen


def where(interview: Interview) -> Path:
    """Return where the folder of an interview's files is or would be."""
    return Path(interview.folder) if interview.folder else home() / interview.id


def lay_out(interview: Interview, exercise: Exercise) -> Path:
    """Write an exercise's stub, unless the file is there: then somebody works in it. Raises OSError."""
    path = folder_of(interview) / f"{exercise.name}.py"
    if not path.exists():
        desk.write(path, desk.stub(exercise.name))
    return path


class Bench:
    """A warm worker for all exercises of an interview, started when the first one is asked."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._warming: threading.Thread | None = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._worker is not None:
            self._worker.stop()

    def warm_up(self, kind: str) -> None:
        """Load what an exercise needs while the candidate reads. Raises WorkerStartError.

        The worker starts here, since it ends with the thread that started it; another thread waits for it.
        """
        self._wait()
        if self._worker is None:
            self._worker = Worker()
        self._warming = threading.Thread(target=self._preload, args=[self._worker, kind], daemon=True)
        self._warming.start()

    @staticmethod
    def _preload(worker: Worker, kind: str) -> None:
        with contextlib.suppress(WorkerStartError, OSError):  # the grading says it, where somebody looks
            worker.preload(kind)

    def _wait(self) -> None:
        if self._warming is not None:
            self._warming.join()
            self._warming = None

    def grade(self, exercise: Exercise, path: Path) -> tuple[Verdict, str]:
        """Grade a file, and note the attempt. Returns the verdict, and "" or why it could not be noted."""
        self._wait()
        if self._worker is None:
            self._worker = Worker()
        verdict = judging.grade(exercise, path, self._worker)
        if verdict.fault:  # a new worker next time
            self._worker.stop()
            self._worker = None
            return verdict, ""
        try:
            return verdict, progress.remember(verdict, path.read_bytes())
        except OSError:
            return verdict, ""
