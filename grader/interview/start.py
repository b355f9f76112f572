"""Begins an interview or goes on with one, ends it with its scorecard, and lists what there is."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from grader import judging, registry
from grader.cli_common import INTERRUPTED, fail
from grader.interview import coding, conversation, plan, scorecard, show
from grader.interview.bench import Bench
from grader.interview.prompts import Prompter
from grader.interview.reviews import Due, Reviews, when
from grader.interview.session import Clock, Interview, Item, Session, Store, minutes_and_seconds
from grader.interview.sitting import Sitting, Stopped
from grader.progress import Progress
from grader.questions import Question, load_questions

COMMAND = "python -m grader interview"
_COMING_DAYS = 14


@dataclass(frozen=True)
class Wish:
    """What a new interview should be."""

    minutes: int = 45
    seed: int | None = None
    topics: Sequence[str] = ()
    coding: bool = True


def topics_named(names: Sequence[str]) -> list[str]:
    """Return the topics that begin with these names; an unknown one ends the command."""
    known = list(dict.fromkeys(question.topic for question in load_questions()))
    known += list(dict.fromkeys(exercise.part for exercise in judging.all_exercises() if exercise.part))
    found = []
    for name in names:
        matching = [topic for topic in known if topic.lower().startswith(name.strip().lower())]
        if len(matching) != 1:
            fail(f"--topic {name!r} names {len(matching)} topics. There are: {', '.join(known)}.")
        found += matching
    return found


def hold(wish: Wish, store: Store, clock: Clock, prompter: Prompter, new: bool | None = None) -> int:
    """Hold an interview, a new one or the one that was interrupted.

    Args:
        wish: For a new one.
        store: Where interviews are kept.
        clock: Where time comes from.
        prompter: How the candidate is asked.
        new: True for a new one, False for the interrupted one, None to ask.

    Returns:
        The exit code: 0, also when it is stopped to go on later; 130 when it is interrupted.
    """
    out = show.console()
    questions = {question.number: question for question in load_questions()}
    past, troubles = store.all()
    for trouble in troubles:
        click.echo(trouble, err=True)
    interview = _interrupted(past, new)
    if interview is None:
        _set_aside(past, store)
        interview = drawn(wish, questions.values(), store, clock)
        show.opening(out, interview)
    else:
        out.print("[dim]Going on; /help says what can be typed.[/]")
    with store.held(interview.id) as mine:
        if not mine:
            fail("this interview is going on in another terminal")
        session = Session(interview, store, clock, lambda trouble: click.echo(trouble, err=True))
        return _held(Sitting(session, prompter, out, Reviews()), questions)


def _interrupted(past: Sequence[Interview], new: bool | None) -> Interview | None:
    """Return the interview to go on with, None to begin a new one."""
    if new:
        return None
    unfinished = [each for each in past if each.ended is None]
    found = next((each for each in unfinished if not each.aside), None)
    if new is False:
        found = found or next(iter(unfinished), None)
        if found is None:
            fail("there is no interview to go on with")
        return found
    if found is None:
        return None
    told = f"An interview of {found.begun_at:%a %d %b, %H:%M} is not finished: {_standing(found)}."
    click.echo(told)
    return found if click.confirm("Go on with it? (no begins a new one)", default=True) else None


def _set_aside(past: Sequence[Interview], store: Store) -> None:
    """Offer the unfinished ones no more: `--resume` and their scorecards still work."""
    for each in past:
        if each.ended is None and not each.aside:
            with store.held(each.id) as mine, contextlib.suppress(OSError):
                if mine:  # nobody is in the middle of it
                    each.aside = True
                    store.save(each)


def _standing(interview: Interview) -> str:
    done = sum(item.over for item in interview.items)
    left = minutes_and_seconds(interview.minutes * 60 - interview.seconds)
    return f"{done} of {len(interview.items)} done, {left} left"


def drawn(wish: Wish, questions: Collection[Question], store: Store, clock: Clock) -> Interview:
    """Draw a new interview for this learner."""
    now = clock.now()
    progress = Progress()
    available = [each for each in judging.all_exercises() if registry.solution_file(each.name).is_file()]
    found = plan.candidates(questions, available)
    history = plan.History(now, Reviews(progress).all(), progress.records())
    seed = secrets.randbelow(10**6) if wish.seed is None else wish.seed
    chosen = plan.draw(
        found, history, minutes=wish.minutes, seed=seed, topics=wish.topics, coding=wish.coding
    )
    if not chosen:
        fail("there is nothing to ask on this")
    chinese = {question.number: question.title_zh for question in questions}
    items = [
        Item(
            key=each.candidate.key,
            kind=each.candidate.kind,
            number=each.candidate.number,
            title=each.candidate.title,
            title_zh=chinese[each.candidate.number] if each.candidate.kind == "question" else "",
            topic=each.candidate.topics[0],
            minutes=each.minutes,
            reason=each.reason,
        )
        for each in chosen
    ]
    return Interview(store.new_id(now), seed, wish.minutes, now.timestamp(), items, list(wish.topics))


def _held(sitting: Sitting, questions: Mapping[int, Question]) -> int:
    session, out = sitting.session, sitting.out
    session.save()
    try:
        with Bench() as desk:
            conversation.hold(sitting, questions, desk)
    except (Stopped, KeyboardInterrupt) as stop:
        interrupted = isinstance(stop, KeyboardInterrupt)
        out.print(
            f"\n[bold]{'Interrupted' if interrupted else 'Stopped'}[/]: {_standing(session.interview)}."
        )
        if session.saved:
            path = store_path(session)
            out.print(
                f"Everything is kept ({escape(path)}). Go on with: [bold]{COMMAND}[/]", soft_wrap=True
            )
        else:
            out.print("[red]It could not be saved.[/] See the scorecard for what is done so far.")
            _finish(session, out, questions)
        return INTERRUPTED if interrupted else 0
    _finish(session, out, questions)
    return 0


def store_path(session: Session) -> str:
    """Where the interview is kept, as one would type it."""
    return coding.short(session.store.path(session.interview.id))


def _finish(session: Session, out: Console, questions: Mapping[int, Question]) -> None:
    now = session.clock.now()
    show.summary(out, session.interview, scorecard.rows(session.interview, questions), now)
    try:
        paths = scorecard.write(session.interview, questions)
    except OSError as error:
        out.print(f"[yellow]The scorecard could not be written: {escape(str(error))}[/]")
        return
    session.save()
    for path in paths:
        out.print(f"  {escape(coding.short(path))}", soft_wrap=True)


# ---------------------------------------------------------------------------- lists


def list_due(clock: Clock) -> None:
    """Print what is due today, and what comes in the next two weeks."""
    now = clock.now()
    known = sorted(Reviews().all().values(), key=lambda due: due.at)
    out = show.console()
    today = [each for each in known if each.is_due(now)]
    coming = [each for each in known if not each.is_due(now) and (each.at - now).days < _COMING_DAYS]
    if not known:
        out.print(f"Nothing has been asked yet. Begin with: {COMMAND}")
        return
    if not today:
        out.print("Nothing is due today.")
    table = Table(box=None, pad_edge=False)
    for title in ("due", "item", "", "last score", "asked"):
        table.add_column(title, justify="right" if title in ("last score", "asked") else "left")
    titles = _titles()
    for each in [*today, *coming]:
        table.add_row(*_due_row(each, titles, now), style="" if each.is_due(now) else "dim")
    if today or coming:
        out.print(table)


def _due_row(due: Due, titles: Mapping[str, str], now: datetime) -> tuple[str, ...]:
    name = due.item.replace(":", " ") if due.item.startswith("question") else due.item.replace(":", "_")
    return when(due.at, now), name, escape(titles.get(due.item, "")), f"{due.score:.0%}", f"{due.seen}×"


def _titles() -> dict[str, str]:
    found = {f"question:{each.number:02d}": each.title for each in load_questions()}
    return found | {f"exercise:{each.number:02d}": each.title for each in judging.all_exercises()}


def list_past(store: Store) -> None:
    """Print the interviews so far, the latest first."""
    past, troubles = store.all()
    out = show.console()
    for trouble in troubles:
        click.echo(trouble, err=True)
    if not past:
        out.print(f"There are no interviews yet. Begin with: {COMMAND}")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("id", "begun", "score", "done", "time", ""):
        table.add_column(
            title, justify="right" if title in ("score", "done", "time") else "left", no_wrap=True
        )
    for each in past:
        score = "–" if each.score is None else f"{each.score:.0%}"
        done = f"{sum(item.phase == 'done' for item in each.items)} of {len(each.items)}"
        time = f"{minutes_and_seconds(each.seconds)} of {each.minutes}:00"
        state = "" if each.ended is not None else "[yellow]not finished[/]"
        table.add_row(each.id, f"{each.begun_at:%d %b %Y, %H:%M}", score, done, time, state)
    out.print(table)
    out.print(f"[dim]{COMMAND} --scorecard ID writes a scorecard again.[/]")


def write_again(store: Store, id: str) -> None:
    """Write an interview's scorecard, of an unfinished one as well; "last" is the latest."""
    past, _ = store.all()
    found = next((each for each in past if id in (each.id, "last")), None)
    if found is None:
        fail(f"there is no interview {id!r}. `{COMMAND} --list` lists them.")
    questions = {question.number: question for question in load_questions()}
    try:
        paths = scorecard.write(found, questions)
    except OSError as error:
        fail(f"the scorecard could not be written: {error}")
    for path in paths:
        click.echo(coding.short(path))
