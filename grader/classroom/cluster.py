"""Grades a class on a Dask cluster (extra `cluster`): the same results as on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from grader.classroom.collect import Submission
from grader.classroom.run import Desk, Task, fault, grader_version, packed
from grader.sources import MAX_BYTES

_AHEAD = 4  # submissions on their way for each thread of the cluster
_WAIT_SECONDS = 30.0


class ClusterError(Exception):
    """The cluster cannot be used; the message says why."""


# A worker ends with the thread that started it, and Dask's threads come and go: one thread of our own.
_thread: ThreadPoolExecutor | None = None
_desk = Desk()


def grade_remotely(task: list[Any], name: str, source: bytes) -> str:
    """Grade one submission in a process of the cluster; returns the packed verdict."""
    global _thread
    if _thread is None:
        _thread = ThreadPoolExecutor(1, thread_name_prefix="grader")
    return _thread.submit(_grade, Task(*task), name, source).result()


def _grade(task: Task, name: str, source: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name  # messages show it, as they do on one machine
        path.write_bytes(source)
        return packed(_desk.grade(task._replace(path=str(path))))


def _version() -> str:
    return grader_version()


class Cluster:
    """A Dask cluster that has this project installed. Raises ClusterError."""

    def __init__(self, address: str, seed: int, unsandboxed: bool = False) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise ClusterError("--scheduler needs the extra `cluster`: uv run --extra cluster …") from None
        self.seed, self.unsandboxed = seed, unsandboxed
        try:
            self.client = Client(address, timeout=_WAIT_SECONDS)
            self.client.wait_for_workers(1, timeout=_WAIT_SECONDS)
        except (OSError, ValueError) as error:
            raise ClusterError(f"no workers at {address}: {error}") from None
        self._same_grader_everywhere()

    def _same_grader_everywhere(self) -> None:
        """Refuse workers that would judge otherwise."""
        for worker, version in self.client.run(_version, on_error="return").items():
            if version != grader_version():
                self.close()
                raise ClusterError(f"the worker {worker} has another grader ({version})")

    def close(self) -> None:
        """Leave the cluster."""
        self.client.close()

    def grade(self, submissions: Iterable[Submission]) -> Iterator[tuple[Submission, str]]:
        """Yield every submission with its packed verdict, as they come.

        A submission whose worker died is graded by another; Dask does that.
        """
        from distributed import as_completed

        waiting, running = iter(submissions), {}
        ahead = _AHEAD * max(1, sum(self.client.nthreads().values()))
        completed = as_completed()
        for submission in waiting:
            try:
                future = self._submit(submission)
            except OSError as error:  # gone since it was found
                yield submission, self._fault(submission, f"cannot be read: {error.strerror}")
                continue
            running[future.key] = submission
            completed.add(future)
            if len(running) >= ahead:
                yield self._done(next(completed), running)
        while running:
            yield self._done(next(completed), running)

    def _submit(self, submission: Submission) -> Any:
        task = [submission.exercise, "", self.seed, self.unsandboxed]
        with submission.path.open("rb") as opened:
            source = opened.read(MAX_BYTES + 1)  # one more, so that the worker refuses it
        # Not pure: equal files of two students are graded for each.
        return self.client.submit(grade_remotely, task, submission.path.name, source, pure=False)

    def _done(self, future: Any, running: dict[str, Submission]) -> tuple[Submission, str]:
        submission = running.pop(future.key)
        try:
            return submission, future.result()
        except Exception as error:  # a worker killed again and again, a bug: told as the grader's fault
            return submission, self._fault(submission, f"the cluster could not grade this: {error!r}")

    def _fault(self, submission: Submission, why: str) -> str:
        return packed(fault(submission.exercise, self.seed, why))
