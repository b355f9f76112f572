"""The reference solutions pass their suites on Keras's other backends, where these are installed."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest

from grader import registry

KERAS_EXERCISES = [
    exercise for exercise in map(registry.load, registry.numbers()) if exercise.kind == "keras"
]


@pytest.mark.backend
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("exercise", KERAS_EXERCISES, ids=lambda exercise: exercise.name)
def test_solution_passes(exercise, backend: str, run_cli) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed (uv run --extra {backend} pytest -m backend)")
    done = run_cli(
        exercise.name, "--solution", "--json", env={**os.environ, "KERAS_BACKEND": backend}, timeout=600
    )
    wrong = [check for check in json.loads(done.stdout)["checks"] if check["status"] != "passed"]
    assert not wrong
    assert done.returncode == 0
