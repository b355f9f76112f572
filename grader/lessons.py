"""Where an exercise or a question is taught: the notebook and the heading above it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from grader import registry
from grader.exercise import Exercise

_HEADING = re.compile(r"#{1,4} (.+)")
_DIRECTIVE = re.compile(r"\{\{\s*question\s+(\d+)\s*\}\}")


@dataclass(frozen=True)
class Lesson:
    """A notebook's name without its suffix, and a heading in it as it is written."""

    notebook: str
    heading: str

    @property
    def path(self) -> Path:
        """The notebook's file, seen from the project."""
        return Path("notebooks", f"{self.notebook}.ipynb")

    @property
    def anchor(self) -> str:
        """The heading as Jupyter and GitHub understand it in an address."""
        return quote(self.heading.replace(" ", "-"), safe="")

    def __str__(self) -> str:
        return f"{self.path}, “{self.heading}”" if self.heading else str(self.path)


def of_exercise(exercise: Exercise) -> Lesson | None:
    """Return where an exercise is taught; None when its suite does not say."""
    notebook, _, slug = exercise.lesson.partition("#")
    if not notebook:
        return None
    told = next((heading for heading in _headings(notebook) if _slug(heading) == slug), "")
    return Lesson(notebook, told or slug.replace("-", " ").capitalize())


def of_question(number: int) -> Lesson | None:
    """Return the section in which a question is asked; None when no notebook asks it."""
    return _questions().get(number)


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _folder() -> Path:
    return registry.project_root() / "notebooks" / "source"


@cache
def _headings(notebook: str) -> tuple[str, ...]:
    try:
        lines = (_folder() / f"{notebook}.md").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    return tuple(match[1].strip() for match in map(_HEADING.fullmatch, lines) if match)


@cache
def _questions() -> Mapping[int, Lesson]:
    """Find the section of every question: an exercise may stand between what is taught and the question."""
    found = {}
    for path in sorted(_folder().glob("*.md")):
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("## ") and not line.startswith("## Exercise"):
                section = line[3:].strip()
            elif match := _DIRECTIVE.fullmatch(line.strip()):
                found[int(match[1])] = Lesson(path.stem, section)
    return found
