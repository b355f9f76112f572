"""How long a warm verdict takes in a notebook, against running the same answer in the kernel itself.

    uv run python benchmarks/notebook.py [repetitions] [exercise ...]

For every exercise: seconds until the first check shows, until all of them do (without the checks that
train), and in a plain warm fork the least that any verdict takes: load the answer, do nothing.
"""

from __future__ import annotations

import statistics
import sys
import time

from grader import registry
from grader.bench import Bench
from grader.exercise import Exercise
from grader.sessions import Limits
from grader.verdict import CheckResult


def once(bench: Bench, exercise: Exercise) -> tuple[float, float]:
    """Grade the reference solution; return seconds to the first check and to the last."""
    shown: list[float] = []
    start = time.perf_counter()

    def came(result: CheckResult) -> None:
        shown.append(time.perf_counter() - start)

    verdict = bench.grade(exercise, registry.solution_file(exercise.name), progress=came)
    assert verdict.passed, verdict
    return shown[0], shown[-1]


def empty_fork(bench: Bench, exercise: Exercise) -> float:
    """Seconds to start a session and end it again."""
    start = time.perf_counter()
    assert bench.worker is not None
    bench.worker.fork(Limits(exercise.seconds, exercise.memory_mib * 2**20)).close()
    return time.perf_counter() - start


def measure(bench: Bench, exercise: Exercise, repetitions: int) -> tuple[float, float, float]:
    """Medians: the floor, the first check, all checks."""
    quick = [check for check in exercise.checks if not check.costly]
    exercise.checks[:] = quick
    once(bench, exercise)  # file caches, and the suite's own imports
    times = [once(bench, exercise) for _ in range(repetitions)]
    floors = [empty_fork(bench, exercise) for _ in range(repetitions)]
    first, whole = (statistics.median(values) for values in zip(*times, strict=True))
    return statistics.median(floors), first, whole


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    numbers = [registry.parse_name(name) for name in sys.argv[2:]] or registry.numbers()
    benches = {kind: Bench(kind) for kind in ("numpy", "keras")}
    for bench in benches.values():
        bench.start()
        bench.preload()
    aims = {"numpy": (0.1, 0.1), "keras": (0.3, 1.2)}
    for number in numbers:
        exercise = registry.load(number)
        floor, first, whole = measure(benches[exercise.kind], exercise, repetitions)
        late = (
            "" if first <= aims[exercise.kind][0] and whole <= aims[exercise.kind][1] else "  over its aim"
        )
        count = len(exercise.checks)
        print(
            f"{exercise.name}: first check after {first:.2f} s, all {count} after {whole:.2f} s "
            f"= {whole / floor:.0f} x an empty fork ({floor * 1000:.0f} ms){late}",
            flush=True,
        )
    for bench in benches.values():
        bench.stop()


if __name__ == "__main__":
    main()
