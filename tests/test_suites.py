"""Every suite is proved: found by its file name, so that a new exercise brings its proofs along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader import judging, proofs, registry, sources
from grader.exercise import Exercise
from grader.workers import Worker

EXERCISES = [registry.load(number) for number in registry.numbers()]
MISCONCEPTIONS = [
    pytest.param(exercise, id, id=f"{exercise.name}-{id}", marks=pytest.mark.xdist_group(exercise.name))
    for exercise in EXERCISES
    for id in exercise.misconceptions
]
VARIANTS = [
    pytest.param(exercise, path, id=f"{exercise.name}-{path.stem}")
    for exercise in EXERCISES
    for path in [registry.solution_file(exercise.name), *proofs.variants(exercise)]
]
each_exercise = pytest.mark.parametrize(
    "exercise",
    [pytest.param(item, id=item.name, marks=pytest.mark.xdist_group(item.name)) for item in EXERCISES],
)
# Filled by one test for another in the same process, to save time.
_failing_checks: dict[str, set[str]] = {}


def seeds(exercise: Exercise, path: Path) -> int:
    """200 seeds where a verdict takes milliseconds; a Keras verdict takes over a second."""
    if exercise.kind == "numpy":
        return 200
    return 4 if path == registry.solution_file(exercise.name) else 2


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
    count = seeds(exercise, path)
    few, many = range(1, min(5, count)), range(5, count)
    assert not list(judging.failures_over_seeds(exercise, path, worker, few))
    # Checks that measure memory or count thousands of draws take long, and hardly depend on the numbers.
    quick = [
        check for check in exercise.checks if not check.fresh and not check.title.startswith("sample:")
    ]
    monkeypatch.setattr(exercise, "checks", quick)
    assert not list(judging.failures_over_seeds(exercise, path, worker, many))


@pytest.mark.parametrize(("exercise", "id"), MISCONCEPTIONS)
def test_misconception_fails_under_its_own_name(exercise: Exercise, id: str, worker: Worker) -> None:
    misconception = exercise.misconceptions[id]
    text = proofs.wrong_source(exercise, misconception)
    # What fails first is what a learner reads; `python -m grader.proofs` runs the Keras checks to the end.
    for seed in range(3 if exercise.kind == "numpy" else 1):
        stop_after = None if exercise.kind == "numpy" and seed == 0 else 2
        proof = proofs.grade_text(exercise, text, worker, seed, stop_after)
        if stop_after is not None and proofs.problems_with(proof, misconception):
            proof = proofs.grade_text(exercise, text, worker, seed)  # more comparisons tell more
        assert not proofs.problems_with(proof, misconception), f"seed {seed}"
        _failing_checks.setdefault(exercise.name, set()).update(proof.failing)


@each_exercise
def test_every_check_catches_something(
    exercise: Exercise, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = set(_failing_checks.get(exercise.name, ()))  # what the tests before this one saw
    every = list(exercise.checks)
    quick = [check for check in every if not check.costly and check.title not in caught]
    monkeypatch.setattr(exercise, "checks", quick)
    caught |= caught_by_some(exercise, worker, None)
    monkeypatch.setattr(exercise, "checks", every)
    if not {check.title for check in every} <= caught:
        # A costly check is run only where all else passes: no need to go on after a failure.
        caught |= caught_by_some(exercise, worker, 1)
    assert {check.title for check in every} <= caught


def caught_by_some(exercise: Exercise, worker: Worker, stop_after: int | None) -> set[str]:
    """Grade one misconception after another until each check (or each costly one) failed for one."""
    wanted = {check.title for check in exercise.checks if stop_after is None or check.costly}
    caught: set[str] = set()
    for misconception in exercise.misconceptions.values():
        if wanted <= caught:
            break
        text = proofs.wrong_source(exercise, misconception)
        caught |= proofs.grade_text(exercise, text, worker, 0, stop_after).failing
    return caught
