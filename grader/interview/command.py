"""The command: `python -m grader interview`."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--minutes", type=click.IntRange(5, 240), default=45, show_default=True, help="How long.")
@click.option("--seed", type=click.IntRange(min=0), help="Draw the same again, for the same history.")
@click.option(
    "--topic", "topics", multiple=True, help="Only this topic (its beginning will do); repeatable."
)
@click.option("--questions-only", is_flag=True, help="No coding.")
@click.option(
    "--new/--resume", default=None, help="Do not ask about an unfinished one: begin anew, or go on."
)
@click.option("--due", is_flag=True, help="List what is due for review, and stop.")
@click.option("--list", "past", is_flag=True, help="List the interviews so far, and stop.")
@click.option("--scorecard", metavar="ID", help="Write an interview's scorecard again (`last`), and stop.")
def interview(
    minutes: int,
    seed: int | None,
    topics: tuple[str, ...],
    questions_only: bool,
    new: bool | None,
    due: bool,
    past: bool,
    scorecard: str | None,
) -> None:
    """Hold a mock interview: questions and coding against the clock.

    You write your answers, compare them with a model answer and mark them; what was weak comes back. Ctrl-C
    or /quit stops it, and the same command goes on.
    """
    from grader.interview import start
    from grader.interview.prompts import fitting
    from grader.interview.session import Clock, Store

    store = Store()
    if due:
        start.list_due(Clock())
    elif past:
        start.list_past(store)
    elif scorecard:
        start.write_again(store, scorecard)
    else:
        wish = start.Wish(minutes, seed, start.topics_named(topics), coding=not questions_only)
        sys.exit(start.hold(wish, store, Clock(), fitting(), new))
