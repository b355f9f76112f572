"""Finds exercises by file name alone, and the folders of the project. Imports no suite by itself.

The learners' edition has no suites: there `grader/public` says what is public of each exercise.
"""

from __future__ import annotations

import difflib
import importlib
import re
from functools import cache
from pathlib import Path

from grader.exercise import Exercise

SUITES = Path(__file__).resolve().parent / "suites"
PUBLIC = SUITES.with_name("public")
_FILE = re.compile(r"exercise_(\d\d)\.(?:py|json)")


class UnknownExerciseError(LookupError):
    """No exercise has this name; the message lists the nearest."""


def project_root() -> Path:
    """Return the folder that holds exercises/ and solutions/: the checkout, else the nearest above."""
    checkout = Path(__file__).resolve().parent.parent
    for folder in (checkout, Path.cwd(), *Path.cwd().parents):
        if (folder / "exercises").is_dir():
            return folder
    return checkout


@cache
def in_edition() -> bool:
    """Whether this is the learners' edition, which has neither suites nor solutions."""
    return PUBLIC.is_dir()


@cache
def numbers() -> tuple[int, ...]:
    """List the numbers of all exercises in order: those with a suite, or in the edition with examples."""
    found = (_FILE.fullmatch(path.name) for path in (PUBLIC if in_edition() else SUITES).iterdir())
    return tuple(sorted(int(match[1]) for match in found if match))


def number_in(text: str) -> int | None:
    """Return the number for "exercise_03", "03" or "3", also where there is no such exercise."""
    match = re.fullmatch(r"(?:exercise_?)?(\d{1,3})(?:\.py)?", text.strip().lower())
    return int(match[1]) if match else None


def parse_name(text: str) -> int:
    """Return the number for "exercise_03", "03" or "3". Raises UnknownExerciseError."""
    number = number_in(text)
    if number in numbers():
        return number
    names = [f"exercise_{number:02d}" for number in numbers()]
    near = difflib.get_close_matches(text.lower(), names, n=3, cutoff=0.6)
    if number is not None:
        near = sorted(names, key=lambda name: abs(int(name[-2:]) - number))[:3]
    listed = ", ".join(near or names)
    hint = "Nearest" if near else "There are"
    raise UnknownExerciseError(
        f"there is no exercise {text!r}. {hint}: {listed}. See `python -m grader list` for all of them."
    )


def load(number: int) -> Exercise:
    """Import an exercise's suite, in the edition read its examples. Raises UnknownExerciseError."""
    if number not in numbers():
        raise UnknownExerciseError(f"there is no exercise {number}")
    if in_edition():
        from grader import examples

        return examples.load(public_file(f"exercise_{number:02d}"))
    exercise = importlib.import_module(f"grader.suites.exercise_{number:02d}").exercise
    if not isinstance(exercise, Exercise) or exercise.number != number:
        raise TypeError(f"grader/suites/exercise_{number:02d}.py must define exercise {number}")
    return exercise


def exercise_file(name: str) -> Path:
    """Return the learner's file."""
    return project_root() / "exercises" / f"{name}.py"


def solution_file(name: str) -> Path:
    """Return the reference solution's file."""
    return project_root() / "solutions" / f"{name}.py"


def public_file(name: str) -> Path:
    """Return the file with the public examples; it is in the learners' edition only."""
    return PUBLIC / f"{name}.json"
