"""Grades a class on all cores: judging processes with warm confined workers, results kept as they come."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from grader import registry
from grader.bench import Bench
from grader.classroom.collect import Submission
from grader.classroom.store import Result
from grader.exercise import Kind
from grader.verdict import READABLE, CheckResult, Verdict

_MOST_MEMORY = 4 * 1024**3  # addresses of a judging process, of which NumPy and the suites take one
_ATTEMPTS = 2  # of a submission whose judging process died


class Task(NamedTuple):
    """What a judging process needs to know of a submission."""

    exercise: int
    path: str
    seed: int
    unsandboxed: bool


@functools.cache
def grader_version() -> str:
    """Return a fingerprint of everything that decides a verdict: another one means grading again."""
    whole = hashlib.sha256()
    folder = Path(registry.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).parts[0] not in ("classroom", "interview", "questions"):
            whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


class Desk:
    """What one judging process grades with: a warm worker for each kind of exercise."""

    def __init__(self) -> None:
        self._benches: dict[Kind, Bench] = {"numpy": Bench("numpy"), "keras": Bench("keras")}

    def grade(self, task: Task) -> Verdict:
        """Grade one submission, or refuse to where the worker's confinement was lost."""
        exercise = registry.load(task.exercise)
        bench = self._benches[exercise.kind]
        worker = bench.start()
        worker.wait_ready()
        if worker.sandbox == "limits" and not task.unsandboxed:
            return fault(
                task.exercise,
                task.seed,
                "the confinement of this class's workers was lost; nothing was run",
            )
        return bench.grade(exercise, Path(task.path), task.seed)

    def close(self) -> None:
        """End the workers."""
        for bench in self._benches.values():
            bench.stop()


def fault(exercise: int, seed: int, why: str) -> Verdict:
    """The verdict where the grader failed: nothing is held against the student."""
    return Verdict(f"exercise_{exercise:02d}", seed, "limits", fault=why)


def refused(submission: Submission, seed: int) -> Verdict:
    """The verdict on what cannot even be read."""
    check = CheckResult(READABLE, "error", submission.problem, kind="cannot be read")
    return Verdict(f"exercise_{submission.exercise:02d}", seed, "", [check])


def judged_by(seed: int) -> str:
    """Return what decides a verdict beside the submission: the grader and the seed."""
    return f"{grader_version()}-{seed}"


def packed(verdict: Verdict) -> str:
    """Return a verdict as it travels between processes: its JSON, and the reason, which is not in that."""
    return json.dumps([verdict.to_json(), verdict.reason])


def as_result(submission: Submission, digest: str, packed: str) -> Result:
    """Return a packed verdict as this submission's result."""
    document, reason = json.loads(packed)
    told = json.loads(document)
    return Result(
        submission.student,
        told["exercise"],
        submission.file,
        digest,
        judged_by(told["seed"]),
        told["status"],
        told["score"],
        told["seconds"],
        told,
        reason,
    )


def _bound_memory() -> None:
    """Make too large an answer a MemoryError here, not the end of some process on this machine."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, hard))


def _serve(channel: Connection) -> None:
    """A judging process: grade what is asked for until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that people see
    _bound_memory()
    desk = Desk()
    try:
        while True:
            task = Task(*json.loads(channel.recv_bytes()))
            channel.send_bytes(packed(desk.grade(task)).encode())
    except (EOFError, OSError):
        pass
    finally:
        desk.close()


@dataclass
class _Judge:
    """A judging process, and what it is working on."""

    process: BaseProcess
    channel: Connection
    submission: Submission | None = None


@dataclass
class Pool:
    """Judging processes on this machine; those that die are replaced."""

    count: int
    seed: int
    unsandboxed: bool = False
    _judges: list[_Judge] = field(default_factory=list)

    def grade(self, submissions: Iterable[Submission]) -> Iterator[tuple[Submission, str]]:
        """Yield every submission with its packed verdict, as they come."""
        waiting = deque(submissions)
        tried: dict[Submission, int] = {}
        try:
            self._judges = [self._start() for _ in range(min(self.count, len(waiting)))]
            while waiting or any(judge.submission for judge in self._judges):
                for judge in self._judges:
                    if judge.submission is None and waiting:
                        self._give(judge, waiting.popleft())
                yield from self._collect(waiting, tried)
        finally:
            self.stop()

    def _start(self) -> _Judge:
        # Spawned: a fork would take the caller's threads' locks along.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=[theirs], daemon=True)
        process.start()
        theirs.close()
        return _Judge(process, ours)

    def _give(self, judge: _Judge, submission: Submission) -> None:
        judge.submission = submission
        task = Task(submission.exercise, str(submission.path), self.seed, self.unsandboxed)
        with contextlib.suppress(OSError):  # it is dead: `_collect` sees that
            judge.channel.send_bytes(json.dumps(task).encode())

    def _collect(
        self, waiting: deque[Submission], tried: dict[Submission, int]
    ) -> Iterator[tuple[Submission, str]]:
        busy = {judge.channel: judge for judge in self._judges if judge.submission is not None}
        for channel in wait(list(busy)):
            judge = busy[channel]  # type: ignore[index]
            submission = judge.submission
            assert submission is not None
            judge.submission = None
            try:
                document = judge.channel.recv_bytes().decode()
            except (EOFError, OSError):
                self._replace(judge)
                tried[submission] = tried.get(submission, 0) + 1
                if tried[submission] < _ATTEMPTS:
                    waiting.append(submission)
                    continue
                why = f"the judging process died {_ATTEMPTS} times on this"
                document = packed(fault(submission.exercise, self.seed, why))
            yield submission, document

    def _replace(self, judge: _Judge) -> None:
        judge.channel.close()
        judge.process.join(timeout=5)
        judge.process.kill()
        fresh = self._start()
        judge.process, judge.channel = fresh.process, fresh.channel

    def stop(self) -> None:
        """End all processes."""
        for judge in self._judges:
            judge.channel.close()
        for judge in self._judges:
            judge.process.join(timeout=5)
            judge.process.kill()
            judge.process.join()
        self._judges = []


Graded = Callable[[Iterable[Submission]], Iterator[tuple[Submission, str]]]


def to_grade(
    submissions: Sequence[Submission], known: dict[tuple[str, str], tuple[str, str, str]], seed: int
) -> list[tuple[Submission, str]]:
    """Return what is not graded yet, with its digest: new, changed, or judged by another grader or seed."""
    left = []
    for submission in submissions:
        digest = submission.digest
        key = (submission.student, f"exercise_{submission.exercise:02d}")
        before = known.get(key)
        if before is None or before[:2] != (digest, judged_by(seed)) or before[2] == "error":
            left.append((submission, digest))
    return left


def grade_class(
    submissions: Sequence[tuple[Submission, str]], graded: Graded, seed: int
) -> Iterator[Result]:
    """Yield a result for each submission, those that cannot be read first."""
    digests = dict(submissions)
    for submission, digest in submissions:
        if submission.problem:
            yield as_result(submission, digest, packed(refused(submission, seed)))
    whole = [submission for submission, _ in submissions if not submission.problem]
    for submission, document in graded(whole):
        yield as_result(submission, digests[submission], document)
