"""How long a cold verdict takes, against importing the library it needs in a bare interpreter.

    uv run python benchmarks/verdict.py [repetitions]

Prints medians and ratios. "judge" is the processor time of the judging process alone, its imports
included, without the interpreter's own start.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JUDGE = """
import sys, time
start = time.process_time()
from grader.cli import main
try:
    main([{name!r}, "--solution", "--json"])
except SystemExit as end:
    assert end.code == 0, end.code
print(time.process_time() - start, file=sys.stderr)
"""


def run(*command: str) -> tuple[float, str]:
    """Run a command; return seconds and what it wrote to standard error."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stderr


def median(repetitions: int, *command: str) -> float:
    return statistics.median(run(*command)[0] for _ in range(repetitions))


def measure(name: str, floor: str, repetitions: int, most: float) -> None:
    """Print one exercise's cold verdict as a multiple of importing `floor`."""
    floors, verdicts, judges = [], [], []
    for _ in range(repetitions):  # interleaved, so that a busy moment touches both
        floors.append(run("-c", f"import {floor}")[0])
        verdicts.append(run("-m", "grader", name, "--solution", "--json")[0])
        judges.append(float(run("-c", JUDGE.format(name=name))[1].splitlines()[-1]))
    base, verdict, judge = (statistics.median(values) for values in (floors, verdicts, judges))
    print(
        f"{name}: cold verdict {verdict:.2f} s = {verdict / base:.2f} x `import {floor}` ({base:.2f} s), "
        f"aim at most {most:g} x; judge {judge:.2f} s, aim below 0.25 s"
    )


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, floor in (("exercise_03", "numpy"), ("exercise_23", "keras")):
        run("-m", "grader", name, "--solution")  # file caches
        measure(name, floor, repetitions, 4.0 if floor == "numpy" else 1.15)


if __name__ == "__main__":
    main()
