"""A learner's progress: a table and a bar for each part in a terminal, a picture in a notebook."""

from __future__ import annotations

import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from grader.exercise import Exercise
from grader.progress import Progress, Record
from grader.terminal import console

_STATES = {"passed": "green", "tried": "yellow", "open": "dim"}
_BAR = 24


class Part(NamedTuple):
    """A part of the curriculum, its exercises with what is known of each."""

    title: str
    rows: Sequence[tuple[Exercise, Record]]

    @property
    def passed(self) -> int:
        """How many exercises are passed."""
        return sum(record.passed for _, record in self.rows)


def parts(exercises: Iterable[Exercise], records: dict[str, Record]) -> list[Part]:
    """Put exercises and records together, by part."""
    rows = [(exercise, records.get(exercise.name, Record(exercise.name))) for exercise in exercises]
    return [Part(title, list(group)) for title, group in groupby(rows, key=lambda row: row[0].part)]


def state(record: Record) -> str:
    """Return an exercise's state in a word: passed, tried or open."""
    return "passed" if record.passed else "tried" if record.attempts else "open"


def duration(seconds: float) -> str:
    """Write a time for people; "" for next to nothing."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return ""
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def next_exercise(found: Sequence[Part]) -> Exercise | None:
    """Return the first exercise that is not passed."""
    return next((exercise for part in found for exercise, record in part.rows if not record.passed), None)


def _met(record: Record) -> str:
    ranked = sorted(record.misconceptions.items(), key=lambda item: -item[1])
    return ", ".join(f"{id} ×{count}" if count > 1 else id for id, count in ranked)


def show_status(exercises: Sequence[Exercise], progress: Progress, out: Console | None = None) -> None:
    """Print every exercise's state, a bar for each part, and what to do next."""
    out = out or console()
    found = parts(exercises, progress.records())
    for part in found:
        share = part.passed / len(part.rows)
        filled = round(_BAR * share)
        bar = f"[green]{'━' * filled}[/][dim]{'─' * (_BAR - filled)}[/]"
        spent = duration(sum(record.seconds for _, record in part.rows))
        out.print(f"[bold]{escape(part.title)}[/]  {bar}  {part.passed} of {len(part.rows)}  {spent}")
        out.print(_table(part))
        out.print()
    _show_next(out, found)
    if progress.trouble:
        out.print(f"[red]{escape(progress.trouble)}[/]")


def _table(part: Part) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column("exercise", no_wrap=True)
    table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=3)
    for name in ("state", "attempts", "time", "hints"):
        table.add_column(name, no_wrap=True, justify="left" if name == "state" else "right")
    table.add_column("mistakes", no_wrap=True, overflow="ellipsis", ratio=3, style="dim")
    for exercise, record in part.rows:
        word = state(record)
        tries = f"{record.attempts} attempt{'s' * (record.attempts != 1)}" if record.attempts else ""
        hints = f"{record.hints} hint{'s' * (record.hints != 1)}" if record.hints else ""
        row = (exercise.name, escape(exercise.title), f"[{_STATES[word]}]{word}[/]", tries)
        table.add_row(*row, duration(record.seconds), hints, escape(_met(record)))
    return table


def _show_next(out: Console, found: Sequence[Part]) -> None:
    records = [record for part in found for _, record in part.rows]
    met: Counter[str] = Counter()
    for record in records:
        met.update(record.misconceptions)
    if met:
        often = ", ".join(f"{id} ({count})" for id, count in met.most_common(3))
        out.print(f"Mistakes met most: {escape(often)}")
    upcoming = next_exercise(found)
    if upcoming is None:
        out.print("[green]Everything is passed.[/] Try a mock interview: python -m grader interview")
    else:
        out.print(f"Next: python -m grader {upcoming.name}  ({escape(upcoming.title)})")


class ProgressCard:
    """The progress as a notebook shows it."""

    def __init__(self, exercises: Sequence[Exercise], progress: Progress) -> None:
        self.exercises = exercises
        self.progress = progress

    def __repr__(self) -> str:
        stream = io.StringIO()
        show_status(self.exercises, self.progress, console(stream))
        return stream.getvalue()

    def _repr_html_(self) -> str:
        from grader.card import page  # the card's frame and style

        found = parts(self.exercises, self.progress.records())
        rows = "".join(_part_html(part) for part in found)
        passed, count = sum(part.passed for part in found), sum(len(part.rows) for part in found)
        upcoming = next_exercise(found)
        after = f"Next: {html.escape(f'{upcoming.name}, {upcoming.title}')}" if upcoming else ""
        trouble = html.escape(self.progress.trouble)
        legend = '<span class="tile passed"></span> passed <span class="tile tried"></span> tried'
        return page(
            f"<h4>{passed} of {count} exercises passed</h4>"
            f'<table class="progress">{rows}</table><p>{after}</p>'
            f'<div class="small">{legend} <span class="tile"></span> open; '
            f"point at a square to see more {trouble}</div>"
        )


def _part_html(part: Part) -> str:
    tiles = []
    for exercise, record in part.rows:
        facts = [f"{exercise.name}: {exercise.title}", state(record)]
        facts += [f"{record.attempts} attempts"] if record.attempts else []
        facts += [fact for fact in (duration(record.seconds), _met(record)) if fact]
        told = html.escape(", ".join(facts), quote=True)
        tiles.append(f'<span class="tile {state(record)}" title="{told}">{exercise.number}</span>')
    spent = duration(sum(record.seconds for _, record in part.rows))
    return (
        f"<tr><th>{html.escape(part.title)}</th><td>{''.join(tiles)}</td>"
        f"<td>{part.passed} of {len(part.rows)}</td><td>{spent}</td></tr>"
    )
