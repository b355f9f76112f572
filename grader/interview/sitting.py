"""What asking a question and setting an exercise have in common: the clock, the commands, the rating."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from grader.interview import show
from grader.interview.prompts import QUIT, Prompter
from grader.interview.reviews import RATINGS, Reviews, when
from grader.interview.session import Item, Session, minutes_and_seconds


class Stopped(Exception):
    """The candidate wants to go on later."""


@dataclass
class Sitting:
    """One run of the program over an interview."""

    session: Session
    prompter: Prompter
    out: Console
    reviews: Reviews

    def status(self, item: Item) -> Callable[[], str]:
        """Return the clock in words: what is left of all, and the time on this item against its share."""

        def status() -> str:
            left = self.session.left
            total = f"{minutes_and_seconds(left)} left" if left > 0 else "time is up: finish this one"
            spent = minutes_and_seconds(self.session.spent(item))
            return f"{total} · this one {spent} of {minutes_and_seconds(item.minutes * 60)}"

        return status

    def common(self, command: str, kind: str) -> None:
        """Do what a command does everywhere: /quit, /help, and what is no command.

        Raises:
            Stopped: for /quit.
        """
        if command == QUIT:
            raise Stopped
        if command != "/help":
            self.out.print(f"[yellow]There is no {escape(command)} here.[/]")
        show.help_for(self.out, kind)

    def edited(self, text: str | None = None, path: Path | None = None) -> str:
        """Open $EDITOR on a text or a file. Returns the text, unchanged when it was left without saving."""
        edited = None
        try:
            if path is not None:
                click.edit(filename=str(path))
            else:
                edited = click.edit(text, extension=".md")
        except click.ClickException as error:
            self.out.print(f"[yellow]The editor could not be started: {escape(error.message)}[/]")
        return (text or "") if edited is None else edited.strip("\n")

    def leave_out(self, item: Item, why: str) -> None:
        """Drop an item that cannot be held; it counts for nothing."""
        item.phase = "left out"
        self.session.save()
        self.out.print(f"[yellow]{escape(why)}[/]")

    def rate(self, item: Item, proposal: int, back: bool = False) -> bool:
        """Ask how it went, note the review and close the item.

        Args:
            item: With its score.
            proposal: The rating that Enter takes.
            back: Whether one may go back to the marks.

        Returns:
            False when the candidate goes back.

        Raises:
            Stopped: when the candidate goes on later.
        """
        now = self.session.clock.now()
        outlook = self.reviews.outlook(item.key, now)
        choices = [f"{rating} {word}: {when(outlook[rating], now)}" for rating, word in RATINGS.items()]
        self.out.print(" · ".join(choices))
        keys = "1234q" + ("b" if back else "")
        message = f"When again? Enter keeps {proposal} {RATINGS[proposal]}" + (
            ", b back to the marks" if back else ""
        )
        key = self.prompter.key(self.status(item), f"{message} >", keys, str(proposal))
        if key in (QUIT, "q"):
            raise Stopped
        if key == "b":
            return False
        item.rating = int(key)
        seconds, interview = self.session.spent(item), self.session.interview.id
        due, trouble = self.reviews.add(
            item.key, item.rating, now, score=item.score or 0.0, seconds=seconds, interview=interview
        )
        self.session.tell_once(trouble)
        item.due, item.phase = due.timestamp(), "done"
        self.out.print(f"[dim]{RATINGS[item.rating].capitalize()}: it comes back {when(due, now)}.[/]")
        return True
