"""The scorecard: one Markdown and one HTML file, from the same facts.

What the candidate wrote is never taken for markup: fenced in Markdown, escaped in HTML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from grader import lessons, registry
from grader.files import replacing
from grader.interview import bench, formulas
from grader.interview.session import Interview, Item, minutes_and_seconds
from grader.questions import Question
from grader.templates import environment

_WEAK = 0.7
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Row:
    """An item with what the scorecard adds to it."""

    item: Item
    question: Question | None
    lesson: lessons.Lesson | None
    link: str
    due: date | None

    @property
    def name(self) -> str:
        """What it is called: "Question 9", "exercise_05"."""
        item = self.item
        return f"Question {item.number}" if item.kind == "question" else f"exercise_{item.number:02d}"

    @property
    def outcome(self) -> str:
        """What came of it, in a word or two."""
        item = self.item
        if item.phase == "left out":
            return "left out"
        if item.score is None:
            return "not finished" if item.seconds else "not reached"
        if item.kind == "exercise" and item.gradings:
            return item.gradings[-1].status
        return "skipped" if item.skipped else "answered"

    @property
    def slipped(self) -> bool:
        """Whether the candidate said what is often heard and wrong."""
        item = self.item
        return bool(item.slip) and len(item.marks) > len(item.points) and not item.marks[-1]

    @property
    def mistakes(self) -> dict[str, str]:
        """The mistakes named in an exercise's gradings, with what they are."""
        return {id: told for grading in self.item.gradings for id, told in grading.mistakes.items()}

    @property
    def grade(self) -> str:
        """How good it is: "good", "fair", "poor", or "none"."""
        score = self.item.score
        return "none" if score is None else "good" if score >= _WEAK else "fair" if score >= 0.4 else "poor"


@dataclass(frozen=True)
class Topic:
    """A topic's share of the interview."""

    name: str
    count: int
    score: float
    seconds: float
    minutes: float


def rows(interview: Interview, questions: Mapping[int, Question]) -> list[Row]:
    """Collect what there is to say of each item."""
    folder = bench.where(interview)
    return [_row(item, questions, folder) for item in interview.items]


def _row(item: Item, questions: Mapping[int, Question], folder: Path) -> Row:
    question = questions.get(item.number) if item.kind == "question" else None
    if item.kind == "question":
        lesson = lessons.of_question(item.number)
    else:
        known = item.number in registry.numbers()
        lesson = lessons.of_exercise(registry.load(item.number)) if known else None
    link = ""
    if lesson is not None:
        notebook = os.path.relpath(registry.project_root() / lesson.path, folder)
        link = quote(Path(notebook).as_posix()) + (f"#{lesson.anchor}" if lesson.heading else "")
    due = datetime.fromtimestamp(item.due, UTC).astimezone().date() if item.due is not None else None
    return Row(item, question, lesson, link, due)


def topics(interview: Interview) -> list[Topic]:
    """Sum up by topic, in the order of the interview."""
    found: dict[str, list[Item]] = {}
    for item in interview.items:
        if item.score is not None:
            found.setdefault(item.topic, []).append(item)
    return [
        Topic(
            name,
            len(items),
            sum(item.score or 0.0 for item in items) / len(items),
            sum(item.seconds for item in items),
            sum(item.minutes for item in items),
        )
        for name, items in found.items()
    ]


def to_repeat(found: list[Row]) -> list[Row]:
    """List what to repeat, the next first, and of one day the weakest first."""
    dated = [row for row in found if row.due is not None]
    return sorted(dated, key=lambda row: (row.due or date.max, row.item.score or 0.0))


def _cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _fenced(text: str) -> str:
    """A code block that holds any text, fences of its own included."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


@cache
def _environment(html: bool) -> jinja2.Environment:
    made = environment(_TEMPLATES, html=html)
    made.filters["clock"] = minutes_and_seconds
    made.filters["percent"] = lambda share: "–" if share is None else f"{share:.0%}"
    made.filters["day"] = lambda day: f"{day:%a %d %b %Y}"
    made.filters["cell"] = _cell
    made.filters["fenced"] = _fenced
    # The project's own texts; the parser lets no HTML through.
    made.filters["rendered"] = lambda text: Markup(formulas.to_html(text))
    made.filters["inline"] = lambda text: Markup(formulas.to_html(text, inline=True))
    return made


def render(interview: Interview, questions: Mapping[int, Question], *, html: bool) -> str:
    """Write a scorecard.

    Args:
        interview: Which may still be going on.
        questions: By number, for the model answers.
        html: HTML instead of Markdown.
    """
    found = rows(interview, questions)
    facts: dict[str, Any] = {
        "interview": interview,
        "begun": interview.begun_at,
        "rows": found,
        "topics": topics(interview),
        "repeat": to_repeat(found),
    }
    template = _environment(html).get_template("scorecard.html.j2" if html else "scorecard.md.j2")
    return template.render(facts)


def write(interview: Interview, questions: Mapping[int, Question]) -> tuple[Path, Path]:
    """Write both files into the interview's folder. Returns their paths. Raises OSError."""
    folder = bench.folder_of(interview)
    paths = folder / "scorecard.md", folder / "scorecard.html"
    for path, html in zip(paths, (False, True), strict=True):
        with replacing(path, encoding="utf-8") as opened:
            opened.write(render(interview, questions, html=html))
    return paths
