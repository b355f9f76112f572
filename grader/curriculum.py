"""The map of the curriculum in Markdown: made from the notebooks' sources, the suites and the questions."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from grader.exercise import Exercise
from grader.questions import Question

BEGIN = "<!-- The map below is written by `python -m grader.authoring`. -->"
END = "<!-- The end of the map. -->"
_DIRECTIVE = re.compile(r"^\{\{(exercise|question) (\d+)\}\}$", re.MULTILINE)
_READING = re.compile(r"^- About (\d+) minutes of reading", re.MULTILINE)
_STARS = "★"


class Lesson(NamedTuple):
    """A notebook: its file without ending, its title, minutes of reading, its exercises and questions."""

    name: str
    title: str
    minutes: int
    exercises: Sequence[int]
    questions: Sequence[int]


def lessons(sources: Path, known: Container[int]) -> list[Lesson]:
    """Read the notebooks' sources; `known` are the exercises there are. A page without any is no lesson."""
    found = []
    for path in sorted(sources.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        numbers: dict[str, list[int]] = {"exercise": [], "question": []}
        for kind, number in _DIRECTIVE.findall(text):
            if kind == "question" or int(number) in known:
                numbers[kind].append(int(number))
        if not numbers["exercise"] and not numbers["question"]:
            continue
        reading = _READING.search(text)
        title = text.partition("\n")[0].removeprefix("# ")
        minutes = int(reading[1]) if reading else 0
        found.append(Lesson(path.stem, title, minutes, numbers["exercise"], sorted(numbers["question"])))
    return found


def _hours(minutes: int) -> str:
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:.1f} h".replace(".0 h", " h")


def _parts(
    found: Sequence[Lesson], exercises: Mapping[int, Exercise]
) -> Iterable[tuple[str, list[Lesson]]]:
    """Notebooks by part: that of their first exercise; those without any come last."""

    def part(lesson: Lesson) -> str:
        return exercises[lesson.exercises[0]].part if lesson.exercises else "At work"

    return [(title, list(group)) for title, group in groupby(found, key=part)]


def show_map(found: Sequence[Lesson], exercises: Mapping[int, Exercise], folder: str = "") -> str:
    """Return a table for each part: notebook, exercises with time and difficulty, questions prepared.

    Args:
        found: The lessons.
        exercises: By number.
        folder: Where the notebooks are, seen from the page that shows the map.
    """
    blocks = []
    for number, (title, group) in enumerate(_parts(found, exercises), start=1):
        reading = sum(lesson.minutes for lesson in group)
        doing = sum(exercises[it].minutes for lesson in group for it in lesson.exercises)
        time = f"{_hours(reading)} of reading" + (f", {_hours(doing)} of exercises" if doing else "")
        rows = ["| notebook | exercises | questions |", "| --- | --- | --- |"]
        for lesson in group:
            tasks = "<br>".join(_task(exercises[it]) for it in lesson.exercises) or "–"
            asked = ", ".join(map(str, lesson.questions)) or "–"
            link = f"[{lesson.name[:2]} {lesson.title}]({folder}{lesson.name}.ipynb)"
            rows.append(f"| {link}, {lesson.minutes} min | {tasks} | {asked} |")
        blocks.append(f"**Part {number}: {title}** ({time})\n\n" + "\n".join(rows))
    return "\n\n".join(blocks)


def _task(exercise: Exercise) -> str:
    return (
        f"{exercise.number:02d} {exercise.title} ({exercise.minutes} min, {_STARS * exercise.difficulty})"
    )


def show_questions(found: Sequence[Lesson], questions: Sequence[Question], folder: str = "") -> str:
    """Return all interview questions by topic, English first, with the notebook that answers each."""
    where = {number: lesson for lesson in found for number in lesson.questions}
    blocks = []
    for topic in dict.fromkeys(question.topic for question in questions):
        rows = ["| | question | | notebook |", "| --- | --- | --- | --- |"]
        for question in questions:
            if question.topic == topic:
                lesson = where.get(question.number)
                link = f"[{lesson.name[:2]}]({folder}{lesson.name}.ipynb)" if lesson else "–"
                rows.append(f"| {question.number} | {question.title} | {question.title_zh} | {link} |")
        blocks.append(f"**{topic}**\n\n" + "\n".join(rows))
    return "\n\n".join(blocks)


def replaced(page: str, shown: str) -> str:
    """Return a page with what stands between the two marks replaced. Raises ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{shown}\n\n{END}{after}"
