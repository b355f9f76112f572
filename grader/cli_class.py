"""The teacher's command: grade a class and report."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli_common import COMMAND_WRONG, GRADER_FAILED, INTERRUPTED, fail, resolve

if TYPE_CHECKING:
    from grader.classroom.collect import Class
    from grader.classroom.report import Summary
    from grader.classroom.run import Graded
    from grader.classroom.store import Store

_ASIDE = 10  # lines in the terminal


@click.command("class")
@click.argument("submissions", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The report's folder.")
@click.option("--exercise", "names", multiple=True, help="Only this exercise; repeatable.")
@click.option(
    "--roster",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="All students: a name a line, or CSV with a header.",
)
@click.option("--seed", type=click.IntRange(min=0), help="For all inputs; else drawn once for the class.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Judging processes; else one for each core.")
@click.option("--scheduler", help="Grade on a Dask cluster: tcp://host:port.")
@click.option(
    "--feedback", type=click.Choice(["full", "names", "score"]), default="full", show_default=True,
    help="What students' own files tell: everything, names without inputs, the score. "
    "Your page tells you everything.",
)  # fmt: skip
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["gradescope", "nbgrader", "junit"]),
    help="Write this too; repeatable.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Grade everything again.")
@click.option("--unsandboxed", is_flag=True, help="Run code without confinement where there is none.")
def grade_class(
    submissions: Path,
    out: Path,
    names: Sequence[str],
    roster: Path | None,
    seed: int | None,
    jobs: int | None,
    scheduler: str | None,
    feedback: str,
    formats: Sequence[str],
    again: bool,
    unsandboxed: bool,
) -> None:
    """Grade a class: SUBMISSIONS/<student>/exercise_NN.py or .ipynb, or a zip of them.

    Interrupted, the same command goes on; what did not change is not graded twice.
    """
    from grader.classroom import report
    from grader.classroom.presence import against_roster, complete
    from grader.classroom.store import Store

    only = [resolve(name) for name in names]
    _require_apart(submissions, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        store = Store(out / "results.sqlite3")
    except (OSError, sqlite3.Error) as error:
        fail(f"{out} cannot be written: {error}")
    with (
        _terminable(),
        contextlib.closing(store),
        tempfile.TemporaryDirectory(prefix="attention-dojo-class-") as scratch,
    ):
        found, listed = _collected(submissions, Path(scratch), only, roster)
        seed = _seed(store, seed)
        try:
            with _graded(found, seed, jobs, scheduler, unsandboxed) as graded:
                _grade(found, store, graded, seed, again)
            for line in complete(found, store, only):
                click.echo(line, err=True)
            summary = report.write(
                store,
                out,
                feedback=feedback,  # type: ignore[arg-type]
                formats=formats,  # type: ignore[arg-type]
                ids=found.ids,
                aside=found.aside,
            )
        except KeyboardInterrupt:
            click.echo("\nInterrupted; what was graded is kept. The same command goes on.", err=True)
            sys.exit(INTERRUPTED)
        except (OSError, sqlite3.Error) as error:
            fail(f"results could not be kept in {out}: {error}. The same command goes on.", GRADER_FAILED)
    _tell(summary, out, against_roster(found, listed, only) if roster else "")
    sys.exit(GRADER_FAILED if summary.errors else 0)


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """What ends a process politely ends the block as Ctrl-C does: results kept, temporary files removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _require_apart(submissions: Path, out: Path) -> None:
    """Refuse a report among the submissions: the next run would take it for students."""
    given, report = submissions.resolve(), out.resolve()
    if report == given or given in report.parents or given.is_relative_to(report / "submissions"):
        fail(f"--out {out}: expected a folder apart from {submissions}")


def _collected(
    given: Path, scratch: Path, only: Sequence[int], roster: Path | None
) -> tuple[Class, list[str]]:
    from grader import registry
    from grader.classroom.collect import collect
    from grader.classroom.unpack import UnpackError

    names = _roster(roster) if roster is not None else []
    try:
        found = collect(given, scratch, registry.numbers(), only, names)
    except UnpackError as error:
        fail(f"{given}: {error}")
    except OSError as error:
        fail(f"{given} cannot be read: {error.strerror or error}")
    _tell_aside(found)
    if not found.submissions:
        there = f"{len(found.students)} students, but " if found.students else ""
        fail(f"{given}: {there}no submissions. Expected {given}/<student>/exercise_NN.py or .ipynb")
    return found, names


def _tell_aside(found: Class) -> None:
    """Say what is not graded, in few lines: the page has it all."""
    from grader.plain import one_line

    for one in found.aside[:_ASIDE]:
        whose = f"{one.student}: " if one.student else ""
        click.echo(f"Left aside: {one_line(f'{whose}{one.file}: {one.why}')}", err=True)
    if len(found.aside) > _ASIDE:
        where = ", in report.html" if found.students else ""
        click.echo(f"… and {len(found.aside) - _ASIDE} more{where}", err=True)


def _roster(path: Path) -> list[str]:
    from grader.classroom.roster import RosterError, read_roster

    try:
        roster = read_roster(path)
    except RosterError as error:
        fail(f"--roster {path}: {error}")
    except OSError as error:
        fail(f"--roster {path} cannot be read: {error.strerror or error}")
    if roster.columns:
        taken = " and ".join(repr(column) for column in roster.columns)
        click.echo(f"Roster: {len(roster.names)} names, from {taken} of {path}.", err=True)
    return roster.names


def _seed(store: Store, given: int | None) -> int:
    """One seed for the whole class, also when it is graded in several goes."""
    from grader.judging import fresh_seed

    if given is not None:
        store.replace_fact("seed", str(given))
    return int(store.fact("seed", str(fresh_seed())))


@contextlib.contextmanager
def _graded(
    found: Class, seed: int, jobs: int | None, scheduler: str | None, unsandboxed: bool
) -> Iterator[Graded]:
    """What grades: a cluster, or processes on this machine."""
    if scheduler is not None:
        from grader.classroom.cluster import Cluster, ClusterError

        try:
            cluster = Cluster(scheduler, seed, unsandboxed)
        except ClusterError as error:
            fail(str(error))
        with contextlib.closing(cluster):
            yield cluster.grade
        return
    from grader.classroom.run import Pool

    _require_confinement(unsandboxed)
    yield Pool(jobs or _cores(), seed, unsandboxed).grade


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _require_confinement(unsandboxed: bool) -> None:
    """Strangers' code runs confined, or not at all unless the teacher says so."""
    from grader.cli_common import started_worker

    with started_worker() as worker:
        worker.wait_ready()
        if worker.sandbox == "limits" and not unsandboxed:
            fail(
                "neither bubblewrap nor Landlock works here, so submissions could read your files. Install "
                "bubblewrap (apt install bubblewrap), or say --unsandboxed if you trust every one of them.",
                COMMAND_WRONG,
            )


def _grade(found: Class, store: Store, graded: Graded, seed: int, again: bool) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from grader.classroom import run
    from grader.terminal import console

    left = run.to_grade(found.submissions, {} if again else store.known(), seed)
    unchanged = len(found.submissions) - len(left)
    if unchanged:
        click.echo(f"{unchanged} submissions are unchanged and not graded again.", err=True)
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("grading", total=len(left))
        for result in run.grade_class(left, graded, seed):
            store.add([result])
            bar.advance(task)


def _tell(summary: Summary, out: Path, roster: str) -> None:
    from grader.terminal import console

    screen = console()
    screen.print(
        f"{summary.students} students, {summary.submissions} submissions: "
        f"[green]{summary.passed} passed[/], [red]{summary.failed} failed[/], "
        f"{summary.not_started} not started, {summary.missing} missing"
        + (f", [red]{summary.errors} the grader failed on[/]" if summary.errors else "")
    )
    if summary.misconceptions:
        often = ", ".join(f"{id} ({count})" for id, count in summary.misconceptions)
        screen.print(f"Mistakes met most: {often}")
    if roster:
        screen.print(roster, markup=False)
    files = ("report.html", "grades.csv", "gradebook.csv")
    screen.print("Report: " + ", ".join(str(out / name) for name in files), markup=False)
