"""How many submissions a class run grades in a second, warm, against a notebook run for each of them.

    uv run python benchmarks/classroom.py [submissions] [--growth 10000]

Right and wrong answers mixed, on all cores. The floor is what the usual graders do: execute a notebook for
each submission with nbclient. `--growth` grades that many NumPy submissions and prints time and memory.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from grader import proofs, registry
from grader.classroom import report, run
from grader.classroom.collect import Submission, collect
from grader.classroom.store import Store

SEED = 7


def hand_in(folder: Path, number: int, count: int) -> None:
    """Write a class: three right answers in four, the others wrong in many ways."""
    exercise, rng = registry.load(number), random.Random(SEED)
    right = registry.solution_file(exercise.name).read_text(encoding="utf-8")
    mistakes = [
        proofs.wrong_source(exercise, item) for item in exercise.misconceptions.values() if item.wrong
    ]
    for student in range(count):
        text = right if student % 4 else rng.choice(mistakes)
        path = folder / f"student {student:05d}" / f"{exercise.name}.py"
        path.parent.mkdir(parents=True)
        path.write_text(f"{text}\n# {student}\n", encoding="utf-8")


def warmed(pool: run.Pool, submissions: list[Submission]) -> Iterator[float]:
    """Yield a moment for each verdict, from when every process has given its first."""
    moments = [time.perf_counter() for _ in pool.grade(submissions)]
    yield from moments[pool.count :]


def throughput(number: int, count: int, jobs: int) -> float:
    """Submissions a second."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "class"
        hand_in(root, number, count)
        found = collect(root, Path(folder) / "scratch", registry.numbers())
        moments = list(warmed(run.Pool(jobs, SEED), found.submissions))
        return (len(moments) - 1) / (moments[-1] - moments[0])


def notebooks(number: int, count: int) -> float:
    """Notebooks a second that hold an answer and call it once, each in a kernel of its own."""
    source = registry.solution_file(f"exercise_{number:02d}").read_text(encoding="utf-8")
    call = "import numpy as np\nq = np.ones((2, 3))\nscaled_dot_product_attention(q, q, q)"
    start = time.perf_counter()
    for _ in range(count):
        cells = [nbformat.v4.new_code_cell(text) for text in (source, call if number == 3 else "")]
        NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120).execute()
    return count / (time.perf_counter() - start)


def memory() -> str:
    """Tell what this process and the largest of its judging processes have resident."""
    here = psutil.Process()
    judges = [process.memory_info().rss for process in here.children()]
    return f"{here.memory_info().rss / 2**20:.0f} MiB, a judge {max(judges, default=0) / 2**20:.0f} MiB"


def growth(count: int, jobs: int) -> None:
    """Print time and the judge's memory at every tenth of a large class."""
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "class", Path(folder) / "report"
        hand_in(root, 3, count)
        found = collect(root, Path(folder) / "scratch", registry.numbers())
        store = Store(out / "results.sqlite3")
        left = run.to_grade(found.submissions, store.known(), SEED)
        start = time.perf_counter()
        for done, result in enumerate(run.grade_class(left, run.Pool(jobs, SEED).grade, SEED), start=1):
            store.add([result])
            if done % max(1, count // 10) == 0:
                seconds = time.perf_counter() - start
                print(f"  {done:6} after {seconds:6.1f} s, {memory()}", flush=True)
        start = time.perf_counter()
        report.write(store, out)
        print(f"  the report: {time.perf_counter() - start:.1f} s, {memory()}; aim below 300 MiB")
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submissions", type=int, nargs="?", default=400)
    parser.add_argument("--growth", type=int, default=0)
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # for the notebooks' kernels; workers have it anyway
    jobs = len(os.sched_getaffinity(0))
    for number, count, aim in ((3, options.submissions, 40), (23, max(20, options.submissions // 20), 2)):
        floor = notebooks(number, 3)
        rate = throughput(number, count, jobs)
        print(
            f"exercise_{number:02d}: {rate:.1f} submissions a second on {jobs} cores, aim {aim}; "
            f"a notebook run for each: {floor:.2f} a second; {rate / floor:.0f} x",
            flush=True,
        )
    if options.growth:
        print(f"{options.growth} submissions of exercise_03:")
        growth(options.growth, jobs)


if __name__ == "__main__":
    main()
