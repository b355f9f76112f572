"""Grades one submission: reads it, runs every check in the worker, names what is wrong."""

from __future__ import annotations

import os
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from grader import desk, registry, sources
from grader.confinement import WorkerStartError
from grader.diagnosis import Comparison, explain
from grader.exercise import Check, Exercise
from grader.messages import describe_problem
from grader.sessions import Limits, Session, SessionEnded
from grader.submission import CheckEnded, Submission
from grader.verdict import ALLOWED, READABLE, CheckResult, Verdict
from grader.worker import wire
from grader.workers import Worker

_MEBIBYTE = 1024 * 1024
_NUMPY_ADDRESS_SPACE = 6 * 1024 * _MEBIBYTE
# Of what Keras reserves, most is for threads; without a limit page tables alone could fill the memory.
_KERAS_ADDRESS_SPACE = (16 + (os.cpu_count() or 1)) * 1024 * _MEBIBYTE
_KEPT_BYTES = 8 * _MEBIBYTE
_SEEDS_PER_SESSION = 25
Progress = Callable[[CheckResult], None]


class GraderFault(Exception):
    """The grader itself failed; never the learner's fault."""


class _LoadEnded(Exception):
    """The submission's code could not even be executed once."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.message)
        self.result = result


def fresh_seed() -> int:
    """Draw a seed that fits on a command line."""
    return int.from_bytes(os.urandom(4), "big") % 10**6


def check_rng(seed: int, check: Check) -> np.random.Generator:
    """Return a check's generator: it depends on the seed and the title, not on the order."""
    return np.random.default_rng([seed, zlib.crc32(check.title.encode())])


def grade(
    exercise: Exercise,
    path: Path,
    worker: Worker,
    seed: int | None = None,
    progress: Progress | None = None,
    stop_after: int | None = None,
) -> Verdict:
    """Grade a file.

    Args:
        exercise: What to grade against.
        path: A .py or .ipynb file.
        worker: Where the code runs.
        seed: For the inputs; drawn when None.
        progress: Called with each result as it comes; misconceptions may still be refined.
        stop_after: Run no more checks once so many did not pass; for proofs of wrong answers.

    Returns:
        A verdict; a fault of the grader is one too, never an exception.
    """
    start = time.perf_counter()
    verdict = Verdict(exercise.name, fresh_seed() if seed is None else seed, worker.sandbox)
    try:
        _grade(exercise, path, worker, verdict, progress or (lambda _: None), stop_after)
    except (WorkerStartError, GraderFault) as fault:
        verdict.fault = str(fault)
    except OSError as error:
        verdict.fault = f"{path} cannot be read: {error.strerror or error}"
    except Exception as error:  # whatever it is, it is not the learner's
        verdict.fault = "".join(traceback.format_exception(error))
    verdict.sandbox = worker.sandbox
    verdict.seconds = time.perf_counter() - start
    return verdict


def _grade(
    exercise: Exercise,
    path: Path,
    worker: Worker,
    verdict: Verdict,
    progress: Progress,
    stop_after: int | None,
) -> None:
    def only(name: str, status: str, message: str, kind: str = "") -> None:
        verdict.checks = [CheckResult(name, status, message, kind=kind)]  # type: ignore[arg-type]
        progress(verdict.checks[0])

    try:
        source = sources.read(path, exercise.name, exercise.implements)
    except sources.SubmissionError as error:
        only(READABLE, "error", str(error), error.kind)
        return
    try:
        stub = desk.stub(exercise.name)
    except FileNotFoundError:
        stub = ""
    try:
        if stub and source.is_untouched(exercise.implements, stub):
            verdict.not_started = True
            return
        uses = source.uses(exercise.forbidden)
    except RecursionError:
        only(READABLE, "error", f"{path.name} is nested too deeply to be analysed.", "cannot be read")
        return
    if uses:
        lines = [f"  {use}" for use in uses]
        message = "This exercise is about writing it yourself; not allowed here:\n"
        only(ALLOWED, "forbidden", message + "\n".join(lines))
        return
    worker.preload(exercise.kind)
    _run_checks(_Run(exercise, source, worker), verdict, progress, stop_after)


class _Failure(NamedTuple):
    """A failed check that diagnosis can work on, and its message without the diagnosis."""

    result: CheckResult
    message: str
    comparison: Comparison


class _Run:
    """One submission's checks: a session that is replaced when it dies, and what was seen."""

    def __init__(self, exercise: Exercise, source: sources.Source, worker: Worker) -> None:
        self.exercise = exercise
        self.source = source
        self.worker = worker
        self.session: Session | None = None
        self.shared: dict[Any, Any] = {}
        self.timeouts = 0
        # JAX compiles every operation at its first call, for every shape, and keeps what it compiled.
        on_jax = exercise.kind == "keras" and os.environ.get("KERAS_BACKEND") == "jax"
        self.patience, self.roominess = (4.0, 3) if on_jax else (1.0, 1)
        # Code that takes seconds to load and then crashes is loaded for every check.
        self.deadline = time.monotonic() + 12 * exercise.seconds * self.patience
        self.comparisons: list[Comparison] = []
        self.failures: list[_Failure] = []

    def limits(self) -> Limits:
        keras = self.exercise.kind == "keras"
        return Limits(
            seconds=self.exercise.seconds,
            memory=self.exercise.memory_mib * _MEBIBYTE * self.roominess,
            address_space=_KERAS_ADDRESS_SPACE if keras else _NUMPY_ADDRESS_SPACE,
        )

    def time_limit(self, check: Check) -> float:
        """Seconds for a check: less once one timed out, so that a loop costs little."""
        limit = self.patience * (check.seconds or self.exercise.seconds)
        return limit / 10 if self.timeouts else limit

    def live_session(self) -> Session:
        """Return a session with the code loaded. Raises _LoadEnded."""
        if self.session is not None and self.session.alive:
            return self.session
        self.close()
        self.session = self.worker.fork(self.limits())
        self._load(self.session)
        return self.session

    def _load(self, session: Session) -> None:
        payload = {
            "parts": self.source.pairs(),
            "forbidden": list(self.exercise.forbidden),
        }
        result = CheckResult("your code can be executed", "error")
        try:
            reply = session.request("load", payload, self.exercise.seconds)
            if reply.problem is None:
                return
            result.message, result.kind = describe_problem(reply.problem), _raised(reply.problem)
        except SessionEnded as ended:
            result.status = ended.status
            result.message = _ended_message(ended, self.exercise.seconds)
        result.printed = session.take_output()
        raise _LoadEnded(result)

    def close(self) -> None:
        self.shared.clear()
        if self.session is not None:
            self.session.close()
            self.session = None


def _raised(problem: Any) -> str:
    """Say what kind of exception it was. The name is the learner's choice, and may be no name at all."""
    if not isinstance(problem, wire.Problem) or not problem.type.isidentifier():
        return ""
    return "syntax error" if "SyntaxError" in problem.bases else f"raised {problem.type[:60]}"


def _ended_message(ended: SessionEnded, seconds: float) -> str:
    if ended.status == "timeout":
        return f"No answer within {seconds:g} seconds. Is there a loop that does not end?"
    return f"The process ended: {ended}."


def _run_checks(run: _Run, verdict: Verdict, progress: Progress, stop_after: int | None) -> None:
    try:
        for check in run.exercise.checks:
            if stop_after is not None and len(verdict.checks) - verdict.passed_count >= stop_after:
                break
            if time.monotonic() > run.deadline:
                message = "Not run: the time for the whole exercise is used up."
                result = CheckResult(check.title, "timeout", message, ran=False)
            elif check.costly and any(before.status != "passed" for before in verdict.checks):
                message = "Not run: it takes a while, and something above is not right yet."
                result = CheckResult(check.title, "failed", message, ran=False)
            else:
                result = _run_check(run, check, verdict.seed)
            verdict.checks.append(result)
            progress(result)
    except _LoadEnded as ended:
        if not verdict.checks:
            verdict.checks = [ended.result]
            progress(ended.result)
            return
        # It loaded before and does not now: every remaining check has that outcome.
        for check in run.exercise.checks[len(verdict.checks) :]:
            verdict.checks.append(replace(ended.result, name=check.title))
    finally:
        run.close()
    for failure in run.failures:
        _name(run, failure)
    for result in verdict.checks:
        if result.comparison is not None and _bytes_in(result.comparison.received) > _KEPT_BYTES:
            result.comparison = None  # no picture is made of it, and a class has many verdicts


def _run_check(run: _Run, check: Check, seed: int) -> CheckResult:
    if check.fresh:
        run.close()
    session = run.live_session()
    start = time.monotonic()
    limit = run.time_limit(check)
    submission = Submission(
        run.exercise, session, lambda: max(0.0, start + limit - time.monotonic()), run.shared
    )
    result = CheckResult(check.title, "passed")
    try:
        check.run(submission, check_rng(seed, check))
    except CheckEnded as ended:
        result.status, result.message, result.comparison = ended.status, ended.message, ended.comparison
        if ended.status == "error" and ended.comparison is not None:
            result.kind = _raised(ended.comparison.received)
        if ended.misconception is not None:
            _explain(run.exercise, result, ended.misconception, ended.message)
        elif ended.comparison is not None:
            run.failures.append(_Failure(result, ended.message, ended.comparison))
            _name(run, run.failures[-1])  # refined when all checks are done
    except SessionEnded as ended:
        result.status, result.message = ended.status, _ended_message(ended, limit)
        run.timeouts += ended.status == "timeout"
    except Exception as error:
        result.printed = session.take_output()
        run.close()  # what it still does must not keep the solution from working
        if _works_for_the_solution(run, check, seed):
            result.status = "failed"
            result.message = f"Your code returned something that this check cannot read ({error})."[:500]
            return result
        where = "".join(traceback.format_exception(error))
        raise GraderFault(f"the check {check.title!r} of the grader failed:\n{where}") from error
    run.comparisons += submission.comparisons
    if result.comparison is None and submission.comparisons:
        result.comparison = submission.comparisons[0]
    result.printed = session.take_output()
    result.seconds = time.monotonic() - start
    return result


def _bytes_in(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(_bytes_in(item) for item in items)


def _works_for_the_solution(run: _Run, check: Check, seed: int) -> bool:
    """Whether a check that broke runs for the reference solution: then the submission broke it."""
    path = registry.solution_file(run.exercise.name)
    if not path.is_file():
        return False
    reference = _Run(
        run.exercise, sources.read(path, run.exercise.name, run.exercise.implements), run.worker
    )
    try:
        session, limit = reference.live_session(), reference.time_limit(check)
        check.run(Submission(run.exercise, session, lambda: limit), check_rng(seed, check))
    except Exception:
        return False
    finally:
        reference.close()
    return True


def _name(run: _Run, failure: _Failure) -> None:
    others = [item.comparison for item in run.failures if item is not failure]
    found = explain(run.exercise, failure.comparison, [*run.comparisons, *others])
    _explain(run.exercise, failure.result, found.id if found else None, failure.message)


def _explain(exercise: Exercise, result: CheckResult, id: str | None, message: str) -> None:
    result.misconception = id
    explanation = exercise.misconceptions[id].explanation if id else ""
    result.message = "\n".join(filter(None, [explanation, message]))


def failures_over_seeds(
    exercise: Exercise, path: Path, worker: Worker, seeds: Iterable[int]
) -> Iterator[tuple[int, CheckResult]]:
    """Run all checks on many seeds with few sessions, for proofs; yields what does not pass.

    A session for each seed would take most of the time, and one for all of them has not enough processor
    time. Raises SubmissionError and GraderFault.
    """
    worker.preload(exercise.kind)
    run = _Run(exercise, sources.read(path, exercise.name, exercise.implements), worker)
    try:
        for number, seed in enumerate(seeds):
            if number % _SEEDS_PER_SESSION == 0:
                run.close()
            run.shared.clear()
            run.comparisons.clear()
            for check in exercise.checks:
                result = _run_check(run, check, seed)
                if result.status != "passed":
                    yield seed, result
    except _LoadEnded as ended:
        yield -1, ended.result
    finally:
        run.close()


def all_exercises() -> Iterator[Exercise]:
    """Load every exercise, in order."""
    for number in registry.numbers():
        yield registry.load(number)
