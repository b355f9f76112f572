"""Shows verdicts and lists in a terminal; plain text where the output is no terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.exercise import Exercise
from grader.verdict import CheckResult, Verdict

if TYPE_CHECKING:
    from grader.hints import Hint

MARKS = {"passed": "✓", "failed": "✗", "error": "✗", "timeout": "⏱", "crashed": "✗", "forbidden": "⊘"}
_COLOURS = {"passed": "green", "failed": "red", "forbidden": "yellow"}
_PLAIN = {"✓": "+", "✗": "x", "⏱": "x", "⊘": "x", "○": "-"}
_SHOWN_LINES = 24
EXAMPLES_ONLY = "Public examples only; the hidden tests are your teacher's."


def console(stream: IO[str] | None = None) -> Console:
    """Return a console; without colour for pipes and NO_COLOR, without wrapping for pipes."""
    stream = stream or sys.stdout
    terminal = stream.isatty()
    made = Console(
        file=stream,
        highlight=False,
        soft_wrap=not terminal,
        width=None if terminal else 140,
        force_terminal=terminal,
        force_jupyter=False,  # a notebook shows the text with its HTML; see Card
    )
    if os.environ.get("NO_COLOR"):
        made.no_color = True
    return made


def _mark(out: Console, mark: str) -> str:
    try:
        mark.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _PLAIN[mark]
    return mark


def _shortened(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= _SHOWN_LINES:
        return "\n".join(lines)
    kept = lines[: _SHOWN_LINES - 1]
    return "\n".join([*kept, f"… {len(lines) - len(kept)} more lines; --json has them all"])


def _print_indented(out: Console, text: str, indent: int) -> None:
    """Indent, and wrap at the indentation in a terminal; a pipe gets lines as they are."""
    if out.is_terminal:
        out.print(Padding(Text(text), (0, 0, 1, indent), expand=False))
    else:
        out.print(Text(textwrap.indent(text, " " * indent) + "\n"))


def _show_check(out: Console, check: CheckResult, details: bool) -> None:
    colour = _COLOURS.get(check.status, "red")
    status = "" if check.status in ("passed", "failed") else f" ({check.status})"
    named = f"  {check.misconception}" if check.misconception else ""
    mark = _mark(out, MARKS[check.status])
    line = f"[{colour}]{mark}[/] {escape(check.name)}{status}[dim]{escape(named)}[/]"
    out.print(f"  {line}")
    if details and check.message:
        _print_indented(out, _shortened(check.message), 6)


def _show_printed(out: Console, checks: Iterable[CheckResult]) -> None:
    for check in checks:
        if check.printed.strip():
            out.print(f"[dim]Your code printed, in “{escape(check.name)}”:[/]")
            _print_indented(out, _shortened(check.printed), 6)
            return


def _next_step(verdict: Verdict, exercise: Exercise) -> str:
    name = verdict.exercise
    if verdict.status == "passed":
        return (
            "" if exercise.examples_only else f"Compare with the solution: python -m grader solution {name}"
        )
    if verdict.status == "not_started":
        return (
            f"Write it in exercises/{name}.py, then run this again. A nudge: python -m grader hint {name}"
        )
    notebook, _, section = exercise.lesson.partition("#")
    read = f"notebooks/{notebook}.ipynb, “{section.replace('-', ' ').capitalize()}”" if notebook else ""
    again = "" if exercise.examples_only else f"    Same inputs again: --seed {verdict.seed}"
    lines = [f"Stuck? python -m grader hint {name}{again}"]
    return "\n".join([*lines, f"Read about it: {read}"] if read else lines)


def explained_once(checks: Iterable[CheckResult]) -> Iterator[tuple[CheckResult, bool]]:
    """Yield every check and whether to explain it: each mistake is explained where it shows first."""
    explained: set[str] = set()
    for check in checks:
        reason = check.misconception or f"{check.status}:{check.message.splitlines()[:1]}"
        yield check, check.status != "passed" and reason not in explained
        explained.add(reason)


def show_verdict(
    verdict: Verdict, exercise: Exercise, out: Console | None = None, *, advice: bool = True
) -> None:
    """Print a verdict: every check, one explanation for each different mistake, and what to do next."""
    out = out or console()
    colours = {"passed": "green", "not_started": "yellow"}
    word = verdict.status.replace("_", " ").upper()
    counts = f"  {verdict.passed_count} of {len(verdict.checks)} checks" if verdict.checks else ""
    colour = colours.get(verdict.status, "red")
    out.print(f"[bold]{verdict.exercise}[/]  {escape(exercise.title)}")
    for check, explained in explained_once(verdict.checks):
        _show_check(out, check, details=explained)
    _show_printed(out, (check for check in verdict.checks if check.status != "passed"))
    if verdict.fault:
        out.print(
            "[red]The grader itself failed; this is not your fault and says nothing about your code.[/]"
        )
        out.print(Text(verdict.fault))
    confined = f"{verdict.sandbox}, seed {verdict.seed}, {verdict.seconds:.2f} s"
    out.print(f"[bold {colour}]{word}[/]{counts}  [dim]({confined})[/]")
    if exercise.examples_only and verdict.checks:
        out.print(EXAMPLES_ONLY)
    if advice and not verdict.fault and (told := _next_step(verdict, exercise)):
        out.print(f"[dim]{escape(told)}[/]")


def show_table(verdicts: Sequence[tuple[Exercise, Verdict]], out: Console | None = None) -> None:
    """Print one row for each graded exercise."""
    out = out or console()
    table = Table(box=None, pad_edge=False)
    for title in ("exercise", "title", "status", "checks", "seconds", "mistakes named"):
        table.add_column(title, justify="right" if title in ("checks", "seconds") else "left")
    colours = {"passed": "green", "not_started": "yellow"}
    for exercise, verdict in verdicts:
        named = dict.fromkeys(check.misconception for check in verdict.checks if check.misconception)
        table.add_row(
            exercise.name,
            escape(exercise.title),
            f"[{colours.get(verdict.status, 'red')}]{verdict.status.replace('_', ' ')}[/]",
            f"{verdict.passed_count}/{len(verdict.checks)}" if verdict.checks else "-",
            f"{verdict.seconds:.2f}",
            escape(", ".join(str(name) for name in named)),
        )
    out.print(table)


def show_list(exercises: Iterable[Exercise], out: Console | None = None) -> None:
    """Print the curriculum."""
    out = out or console()
    part = ""
    table = Table(box=None, pad_edge=False, show_header=False)
    for exercise in exercises:
        if exercise.part != part:
            part = exercise.part
            table.add_row("", f"[bold]{escape(part)}[/]", "", "")
        names = ", ".join(exercise.implements)
        row = (exercise.name, escape(exercise.title), f"{exercise.minutes} min", f"[dim]{names}[/]")
        table.add_row(*row)
    out.print(table)


def show_hints(exercise: Exercise, hints: Sequence[Hint], out: Console | None = None) -> None:
    """Print hints, and what comes after the last."""
    from grader.hints import is_last  # reads the learner's record, which a verdict need not wait for

    out = out or console()
    for hint in hints:
        out.print(f"[bold]{escape(hint.title)}[/]")
        _print_indented(out, hint.text, 2)
        if hint.code:
            out.print("[dim]An answer with this mistake may hold:[/]")
            _print_indented(out, hint.code, 6)
    if is_last(exercise, hints) and not exercise.examples_only:
        name = exercise.name
        out.print(f"[dim]That was the last one. python -m grader solution {name} shows the answer.[/]")
