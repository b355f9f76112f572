"""One warm worker for one kind of exercise, in a notebook's kernel or a class's judging process."""

from __future__ import annotations

import threading
from pathlib import Path

from grader import judging
from grader.exercise import Exercise, Kind
from grader.verdict import Verdict
from grader.workers import Worker


class Bench:
    """A warm worker, used by one grading at a time, and replaced when it died or failed.

    A worker dies with the thread that started it (so the kernel counts parents): it is started in the
    thread that lives longest, and only imports are waited for in the background.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.worker: Worker | None = None
        self._lock = threading.RLock()

    def start(self) -> Worker:
        """Start the worker, if there is none that lives. Raises WorkerStartError."""
        with self._lock:
            if self.worker is None or self.worker.process.popen.poll() is not None:
                self.stop()
                self.worker = Worker()
            return self.worker

    def preload(self) -> None:
        """Import what this kind of exercise needs."""
        with self._lock:
            try:
                if self.worker is not None:
                    self.worker.preload(self.kind)
            except Exception:  # the first grading reports it, where somebody looks
                self.stop()

    def grade(
        self,
        exercise: Exercise,
        path: Path,
        seed: int | None = None,
        progress: judging.Progress | None = None,
    ) -> Verdict:
        """Grade a file; a worker that failed or was interrupted is replaced next time."""
        with self._lock:
            try:
                verdict = judging.grade(exercise, path, self.start(), seed, progress)
            except BaseException:
                self.stop()
                raise
            if verdict.fault:
                self.stop()
            return verdict

    def stop(self) -> None:
        """End the worker."""
        with self._lock:
            if self.worker is not None:
                self.worker.stop()
                self.worker = None
