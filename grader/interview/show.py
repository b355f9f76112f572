"""What an interview prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.theme import Theme

from grader import terminal
from grader.exercise import Exercise
from grader.interview import formulas
from grader.interview.reviews import when
from grader.interview.scorecard import Row
from grader.interview.session import Interview, Item, minutes_and_seconds
from grader.questions import Question

_WIDEST = 100
_HELP = {
    "text": """\
Write what you would say. A line with a single . (or Ctrl-D) ends the answer.
/edit  write it in $EDITOR        /skip  show the answer; it counts as not known
/quit  save and stop; `python -m grader interview` goes on here""",
    "code": """\
The task stands at its top. Write it in your own editor; Enter grades it, as often as you like.
/open  open it in $EDITOR         /skip  go on; the last verdict counts
/quit  save and stop; `python -m grader interview` goes on here""",
}


def console() -> Console:
    """Return a console: that of the grader, with code in the answers that does not shout."""
    made = terminal.console()
    made.push_theme(
        Theme({"markdown.code": "cyan", "markdown.h2": "bold", "markdown.block_quote": "italic"})
    )
    if made.width > _WIDEST:
        made.width = _WIDEST
    made.soft_wrap = False  # the answers are prose: they wrap in pipes too
    return made


def markdown(text: str) -> Markdown:
    """Render one of the project's texts, formulas in plain symbols."""
    return Markdown(formulas.for_terminal(text))


def opening(out: Console, interview: Interview) -> None:
    """Say what is going to happen, or go on."""
    asked = sum(item.kind == "question" for item in interview.items)
    coded = len(interview.items) - asked
    parts = [f"{asked} question{'s' * (asked != 1)}"] * (asked > 0)
    parts += [f"{coded} coding exercise{'s' * (coded != 1)}"] * (coded > 0)
    told = f"{interview.minutes} minutes, {' and '.join(parts)}, seed {interview.seed}"
    out.print(f"[bold]Mock interview[/]  {told}")
    planned = sum(item.minutes for item in interview.items)
    if planned < 0.8 * interview.minutes:
        out.print(f"There is no more to ask on this: about {planned:.0f} minutes.")
    out.print("[dim]Answer in writing and from memory, as you would aloud.[/]")
    help_for(out, "text")


def heading(out: Console, interview: Interview, item: Item, left: float) -> None:
    """Print an item's heading and title."""
    place = f"{interview.items.index(item) + 1} of {len(interview.items)}"
    kind = "Question" if item.kind == "question" else "Coding"
    clock = f"{minutes_and_seconds(left)} left" if left > 0 else "time is up"
    out.print()
    out.print(Rule(f"[bold]{kind} {place}[/] · {escape(item.topic)} · {clock}", align="left", style="dim"))
    if item.kind == "question":
        out.print(f"[bold]{escape(item.title)}[/]")
        out.print(f"{escape(item.title_zh)}")
    else:
        out.print(
            f"[bold]exercise_{item.number:02d}  {escape(item.title)}[/]  about {item.minutes:.0f} minutes"
        )


def task(out: Console, exercise: Exercise, path: str) -> None:
    """Say what is to be written, where, and how it is graded."""
    out.print(f"Write {', '.join(f'[cyan]{escape(name)}[/]' for name in exercise.implements)} in")
    out.print(f"  [bold]{escape(path)}[/]")
    help_for(out, "code")


def help_for(out: Console, kind: str) -> None:
    """Print the commands."""
    out.print(f"[dim]{escape(_HELP[kind])}[/]")


def model_answer(out: Console, question: Question) -> None:
    """Print the short answer, the follow-ups and what is often heard and wrong."""
    parts = (
        ("A short answer", question.short_answer),
        ("They may go on to ask", question.follow_ups),
        ("Often heard, and wrong", question.wrong_answer),
    )
    out.print()
    for title, text in parts:
        out.print(f"[bold cyan]{title}[/]")
        out.print(Padding(markdown(text), (0, 0, 1, 2)))


def point(out: Console, text: str, mark: bool | None, number: int, count: int) -> None:
    """Print a point of the checklist: open, said or not said."""
    signs = {None: "[bold]?[/]", True: "[green]✓[/]", False: "[red]✗[/]"}
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(f"{number}/{count} {signs[mark]}", markdown(text))
    out.print(grid)


def summary(out: Console, interview: Interview, rows: Sequence[Row], now: datetime) -> None:
    """Print the scorecard in short: every item with its score, its time and when it comes back."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "score", "time", "comes back"):
        table.add_column(
            title, justify="right" if title in ("score", "time") else "left", no_wrap=bool(title)
        )
    colours = {"good": "green", "fair": "yellow", "poor": "red", "none": "dim"}
    for row in rows:
        item = row.item
        score = row.outcome if item.score is None else f"{item.score:.0%}"
        spent = f"{minutes_and_seconds(item.seconds)} of {minutes_and_seconds(item.minutes * 60)}"
        again = when(datetime.fromtimestamp(item.due, UTC), now) if item.due is not None else "–"
        table.add_row(
            escape(item.title), f"[{colours[row.grade]}]{score}[/]", spent if item.seconds else "–", again
        )
    total = "–" if interview.score is None else f"{interview.score:.0%}"
    spent = f"{minutes_and_seconds(interview.seconds)} of {interview.minutes}:00"
    out.print()
    out.print(Rule(f"[bold]Scorecard[/] · {total} in {spent}", align="left", style="dim"))
    out.print(table)
    out.print()
