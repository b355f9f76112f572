"""The learner's commands beside grading: status, hint, solution, reset, watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli_common import fail, load, started_worker

if TYPE_CHECKING:
    from grader.exercise import Exercise
    from grader.progress import Progress


@click.command()
def status() -> None:
    """Show your progress."""
    from grader import judging, overview
    from grader.progress import Progress

    overview.show_status(list(judging.all_exercises()), Progress())


@click.command()
@click.argument("exercise")
def hint(exercise: str) -> None:
    """Show the next hint: about your last mistake, then a nudge, the idea, nearly the answer."""
    from grader import hints, terminal
    from grader.progress import Progress

    found = load(exercise)
    shown, trouble = hints.take(found, Progress())
    terminal.show_hints(found, shown)
    if trouble:
        click.echo(trouble, err=True)


@click.command()
@click.argument("exercise")
@click.option("--yes", is_flag=True, help="Do not ask.")
def solution(exercise: str, yes: bool) -> None:
    """Show the solution beside your code (asks first when not yet passed)."""
    from grader import registry, side_by_side
    from grader.progress import Progress

    found = load(exercise)
    path = registry.solution_file(found.name)
    if not path.is_file():
        fail(f"{path} is not here: this edition comes without solutions")
    mine, progress = registry.exercise_file(found.name), Progress()
    if not yes and not _passed(found, mine, progress):
        click.confirm(f"{found.name} is not passed yet. Show the solution anyway?", abort=True, err=True)
    progress.add_solution(found.name)
    side_by_side.show(found, mine, path)


def _passed(exercise: Exercise, mine: Path, progress: Progress) -> bool:
    """Whether an answer passed before, or the present one does."""
    from grader import judging

    record = progress.records().get(exercise.name)
    if record is not None and record.passed:
        return True
    if not mine.is_file():
        return False
    with started_worker() as worker:
        return judging.grade(exercise, mine, worker).passed


@click.command()
@click.argument("exercise")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(exercise: str, yes: bool) -> None:
    """Go back to the stub (keeps a backup)."""
    from grader import desk, registry

    found = load(exercise)
    path = registry.exercise_file(found.name)
    if path.is_file() and not yes:
        click.confirm(f"Replace {path.name} by its stub? A backup is kept.", abort=True, err=True)
    backup = desk.reset(found.name)
    click.echo(f"{path.name} is the stub again." + (f" Backup: {backup}" if backup else ""))


@click.command()
@click.argument("exercise", required=False)
def watch(exercise: str | None) -> None:
    """Regrade at every save, warm; moves on when passed."""
    from grader import watch as watching

    with started_worker() as worker:
        watching.watch(load(exercise) if exercise else None, worker)


COMMANDS = (status, hint, solution, reset, watch)
