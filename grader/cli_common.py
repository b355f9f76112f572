"""What the groups of commands share: finding an exercise, a worker, and ending with an error."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import click

from grader.confinement import WorkerStartError

if TYPE_CHECKING:
    from grader.exercise import Exercise
    from grader.workers import Worker

COMMAND_WRONG, GRADER_FAILED, INTERRUPTED = 2, 3, 130


def fail(message: str, code: int = COMMAND_WRONG) -> NoReturn:
    """End the command with an error in a line."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def started_worker() -> Iterator[Worker]:
    """Start a worker for the length of a block."""
    from grader.workers import Worker

    try:
        worker = Worker()
    except WorkerStartError as error:
        fail(str(error), GRADER_FAILED)
    with worker:
        yield worker


@contextlib.contextmanager
def told_when_slow(seconds: float = 8.0) -> Iterator[threading.Event]:
    """Say once that the first check takes long, unless the event is set before."""
    came = threading.Event()

    def tell() -> None:
        if not came.wait(seconds):
            text = "Still loading: Keras is over a gigabyte, and the first time takes longest."
            click.echo(text, err=True)

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield came
    finally:
        came.set()


def resolve(name: str) -> int:
    """Return an exercise's number; an unknown name ends the command."""
    from grader.registry import UnknownExerciseError, parse_name

    try:
        return parse_name(name)
    except UnknownExerciseError as error:
        fail(str(error))


def load(name: str) -> Exercise:
    """Return an exercise; an unknown name ends the command."""
    from grader import registry

    return registry.load(resolve(name))


def need_solutions() -> None:
    """End the command in the learners' edition, which has no solutions."""
    from grader import registry

    if registry.in_edition():
        fail("this is the learners' edition: it comes without solutions")


def teachers_only(name: str) -> click.Command:
    """Return what stands for a teacher's command in the learners' edition; it ends with a word."""

    @click.command(name, hidden=True, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        fail(f"this is the learners' edition: `{name}` is your teacher's command")

    command.ignore_unknown_options = True
    return command
