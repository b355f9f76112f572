"""A question: its answer is written, the model answer shown, and the candidate marks each point of it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape

from grader.interview import checklist, show
from grader.interview.prompts import END, QUIT
from grader.interview.reviews import suggested
from grader.interview.session import Item
from grader.interview.sitting import Sitting, Stopped
from grader.questions import Question


def hold(sitting: Sitting, item: Item, questions: Mapping[int, Question]) -> None:
    """Ask a question, from wherever it stands. Raises Stopped."""
    question = questions.get(item.number)
    if question is None:
        sitting.leave_out(item, f"Question {item.number} is no longer there; it is left out.")
        return
    show.heading(sitting.out, sitting.session.interview, item, sitting.session.left)
    if item.phase in ("waiting", "asked"):
        item.phase = "asked"
        sitting.session.save()
        _read_answer(sitting, item)
        item.points, item.slip = checklist.points(question), checklist.slip(question)
        item.phase = "shown"
        sitting.session.save()
    elif item.answer:
        sitting.out.print(f"[dim]Your answer:[/] {escape(item.answer)}")
    show.model_answer(sitting.out, question)
    if item.skipped:
        item.score = 0.0
        sitting.rate(item, suggested(0.0))
        return
    while True:
        _mark(sitting, item)
        item.score = share(item)
        easily = item.score == 1 and sitting.session.spent(item) <= item.minutes * 60
        sitting.out.print(f"\n{_told(item)}: [bold]{item.score:.0%}[/].")
        if sitting.rate(item, suggested(item.score, easily), back=True):
            return
        del item.marks[-1:]


def share(item: Item) -> float:
    """The share of the marks that were ticked; avoiding a mistake counts only beside something said."""
    if not any(item.marks[: len(item.points)]):
        return 0.0
    return sum(item.marks) / len(item.marks)


def _told(item: Item) -> str:
    said = f"You said {sum(item.marks[: len(item.points)])} of {len(item.points)} points"
    if not item.slip:
        return said
    return f"{said} and {'avoided' if item.marks[-1] else 'made'} the usual mistake"


def _read_answer(sitting: Sitting, item: Item) -> None:
    def keep(text: str) -> None:
        sitting.session.keep_draft(item, text)

    while True:
        text, command = sitting.prompter.text(sitting.status(item), item.answer, keep)
        keep(text)
        if command == END and text.strip():
            return
        if command == "/skip":
            item.skipped = True
            return
        if command == END:
            sitting.out.print("Nothing is written yet. /skip shows the answer, /quit stops for now.")
        elif command == "/edit":
            keep(sitting.edited(text))
        else:
            sitting.common(command, "text")


def _mark(sitting: Sitting, item: Item) -> None:
    """Have every point marked; marks made before an interruption stay."""
    points = [*item.points]
    if item.slip:
        points.append(f"I did **not** say: {item.slip}")
    sitting.out.print("[bold cyan]Did you say it?[/]")
    for number, mark in enumerate(item.marks):
        show.point(sitting.out, points[number], mark, number + 1, len(points))
    while len(item.marks) < len(points):
        number = len(item.marks)
        show.point(sitting.out, points[number], None, number + 1, len(points))
        keys = "y yes · n no (Enter) · a all the rest · b back · q later >"
        key = sitting.prompter.key(sitting.status(item), keys, "ynabq", "n")
        if key in (QUIT, "q"):
            raise Stopped
        if key == "b":
            del item.marks[-1:]
        else:
            item.marks.append(key != "n")
            sitting.out.print("    [red]✗ no[/]" if key == "n" else "    [green]✓ yes[/]")
        for place in range(number + 1, len(points) if key == "a" else 0):
            item.marks.append(True)
            show.point(sitting.out, points[place], True, place + 1, len(points))
        sitting.session.save()
