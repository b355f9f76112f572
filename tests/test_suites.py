"""Every suite is proved: found by its file name, so that a new exercise brings its proofs along."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from grader import judging, proofs, registry, sources
from grader.exercise import Exercise
from grader.workers import Worker

EXERCISES = [registry.load(number) for number in registry.numbers()]
MISCONCEPTIONS = [
    pytest.param(exercise, id, id=f"{exercise.name}-{id}")
    for exercise in EXERCISES
    for id in exercise.misconceptions
]
VARIANTS = [
    pytest.param(exercise, path, id=f"{exercise.name}-{path.stem}")
    for exercise in EXERCISES
    for path in [registry.solution_file(exercise.name), *proofs.variants(exercise)]
]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def seeds(exercise: Exercise, path: Path) -> range:
    """Hundreds of seeds where a verdict takes milliseconds; a Keras verdict takes over a second.

    Each of the other right answers has seeds of its own, so that together they cover more.
    """
    solution = path == registry.solution_file(exercise.name)
    if exercise.kind == "keras":
        return range(1, 3 if solution else 2)
    if solution:
        return range(1, 100)
    first = 100 + 60 * proofs.variants(exercise).index(path)
    return range(first, first + 60)


class Caught:
    """Which checks failed for a misconception: noted by one test for another, to save time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self, exercise: Exercise, titles: set[str]) -> None:
        """Add checks that failed."""
        # Each process writes its own file.
        with open(self.folder / f"{exercise.name}-{os.getpid()}.txt", "a", encoding="utf-8") as file:
            file.writelines(f"{title}\n" for title in titles)

    def known(self, exercise: Exercise) -> set[str]:
        """Return what all processes noted so far."""
        files = self.folder.glob(f"{exercise.name}-*.txt")
        return {line for path in files for line in path.read_text(encoding="utf-8").splitlines()}


@pytest.fixture(scope="session")
def caught(tmp_path_factory: pytest.TempPathFactory) -> Caught:
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "caught"
    folder.mkdir(exist_ok=True)
    return Caught(folder)


@each_exercise
def test_stub_is_not_started(exercise: Exercise, worker: Worker, tmp_path) -> None:
    path = tmp_path / f"{exercise.name}.py"
    path.write_text(sources.stub_text(registry.solution_file(exercise.name)))
    verdict = judging.grade(exercise, path, worker)
    assert verdict.status == "not_started"
    assert verdict.exit_code == 1


@each_exercise
def test_bank_is_large_enough(exercise: Exercise) -> None:
    assert len(exercise.misconceptions) >= 8
    assert len(proofs.variants(exercise)) >= 3
    assert exercise.part
    assert exercise.lesson
    assert all(item.explanation.endswith((".", "?", ".)")) for item in exercise.misconceptions.values())


@each_exercise
def test_lesson_is_a_heading_of_a_notebook(exercise: Exercise) -> None:
    notebook, _, section = exercise.lesson.partition("#")
    source = registry.project_root() / "notebooks" / "source" / f"{notebook}.md"
    headings = re.findall(r"^#+ (.+)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    slugs = [re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings]
    assert section in slugs
    assert f"{{{{exercise {exercise.number:02d}}}}}" in "".join(
        path.read_text(encoding="utf-8") for path in source.parent.glob("*.md")
    )


@pytest.mark.parametrize(("exercise", "path"), VARIANTS)
def test_right_answers_pass_on_many_seeds(
    exercise: Exercise, path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = judging.grade(exercise, path, worker, seed=0)
    assert verdict.passed, verdict.fault or verdict.checks
    # Checks that train or compile take long, and the verdict above has run them.
    monkeypatch.setattr(exercise, "checks", [check for check in exercise.checks if not check.costly])
    few, many = seeds(exercise, path)[:4], seeds(exercise, path)[4:]
    assert not list(judging.failures_over_seeds(exercise, path, worker, few))
    # Checks that measure memory or count thousands of draws take long, and hardly depend on the numbers.
    quick = [
        check for check in exercise.checks if not check.fresh and not check.title.startswith("sample:")
    ]
    monkeypatch.setattr(exercise, "checks", quick)
    assert not list(judging.failures_over_seeds(exercise, path, worker, many))


@pytest.mark.parametrize(("exercise", "id"), MISCONCEPTIONS)
def test_misconception_fails_under_its_own_name(
    exercise: Exercise, id: str, worker: Worker, caught: Caught
) -> None:
    misconception = exercise.misconceptions[id]
    text = proofs.wrong_source(exercise, misconception)
    # What fails first is what a learner reads; `python -m grader.proofs` runs the Keras checks to the end.
    for seed in range(3 if exercise.kind == "numpy" else 1):
        stop_after = None if exercise.kind == "numpy" and seed == 0 else 2
        proof = proofs.grade_text(exercise, text, worker, seed, stop_after)
        if stop_after is not None and proofs.problems_with(proof, misconception):
            proof = proofs.grade_text(exercise, text, worker, seed)  # more comparisons tell more
        assert not proofs.problems_with(proof, misconception), f"seed {seed}"
        caught.note(exercise, proof.failing)


@each_exercise
def test_every_check_catches_something(
    exercise: Exercise, worker: Worker, monkeypatch: pytest.MonkeyPatch, caught: Caught
) -> None:
    titles = caught.known(exercise)
    every = list(exercise.checks)
    quick = [check for check in every if not check.costly and check.title not in titles]
    monkeypatch.setattr(exercise, "checks", quick)
    titles |= caught_by_some(exercise, worker, None)
    monkeypatch.setattr(exercise, "checks", every)
    if not {check.title for check in every} <= titles:
        # A costly check is run only where all else passes: no need to go on after a failure.
        titles |= caught_by_some(exercise, worker, 1)
    assert {check.title for check in every} <= titles


def caught_by_some(exercise: Exercise, worker: Worker, stop_after: int | None) -> set[str]:
    """Grade one misconception after another until each check (or each costly one) failed for one."""
    wanted = {check.title for check in exercise.checks if stop_after is None or check.costly}
    failed: set[str] = set()
    for misconception in exercise.misconceptions.values():
        if wanted <= failed:
            break
        text = proofs.wrong_source(exercise, misconception)
        failed |= proofs.grade_text(exercise, text, worker, 0, stop_after).failing
    return failed
