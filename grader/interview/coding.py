"""An exercise: written in the candidate's own editor, graded as often as they like."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.markup import escape

from grader import registry, terminal
from grader.confinement import WorkerStartError
from grader.exercise import Exercise
from grader.interview import bench, show
from grader.interview.reviews import suggested
from grader.interview.session import Grading, Item
from grader.interview.sitting import Sitting
from grader.verdict import Verdict

# Nearly right is not right: what did not pass is never rated good.
_BEST_OF_FAILED = 0.69


def hold(sitting: Sitting, item: Item, desk: bench.Bench) -> None:
    """Set an exercise, from wherever it stands. Raises Stopped."""
    interview = sitting.session.interview
    try:
        exercise = registry.load(item.number)
        path = bench.lay_out(interview, exercise)
        desk.warm_up(exercise.kind)
    except (registry.UnknownExerciseError, OSError, WorkerStartError) as error:
        sitting.leave_out(item, f"exercise_{item.number:02d} is left out: {error}")
        return
    show.heading(sitting.out, interview, item, sitting.session.left)
    item.phase = "asked"
    sitting.session.save()
    show.task(sitting.out, exercise, short(path))
    if _grade_until_done(sitting, item, exercise, path, desk):
        passed = bool(item.gradings) and item.gradings[-1].status == "passed"
        in_time = sitting.session.spent(item) <= item.minutes * 60
        item.score = item.gradings[-1].score if item.gradings else 0.0
        proposal = suggested(item.score, in_time and len(item.gradings) == 1)
        sitting.rate(item, proposal if passed else suggested(min(item.score, _BEST_OF_FAILED)))


def _grade_until_done(
    sitting: Sitting, item: Item, exercise: Exercise, path: Path, desk: bench.Bench
) -> bool:
    """Grade until it passes, is given up or the time is up. False when the grader never could."""
    fault = passed = False
    while not passed:
        overtime = sitting.session.left <= 0
        message = "Time is up. Enter grades once more, /skip goes on >" if overtime else "Enter grades >"
        command = sitting.prompter.line(sitting.status(item), message)
        if command == "/skip":
            break
        if command == "/open":
            sitting.edited(path=path)
            continue
        if command:
            sitting.common(command, "code")
            continue
        verdict, trouble = desk.grade(exercise, path)
        sitting.session.tell_once(trouble)
        fault, passed = bool(verdict.fault), verdict.passed
        _show(sitting, verdict, exercise, path)
        if not fault and not verdict.not_started:
            item.gradings.append(_grading(verdict, exercise, sitting.session.clock.now()))
        sitting.session.save()
        if overtime:
            break
    if fault and not item.gradings:
        sitting.leave_out(item, "It could not be graded, so it does not count.")
        return False
    item.skipped = not item.gradings
    return True


def _show(sitting: Sitting, verdict: Verdict, exercise: Exercise, path: Path) -> None:
    if verdict.not_started:
        sitting.out.print(f"[yellow]Nothing is written in {escape(short(path))} yet.[/]")
    else:
        terminal.show_verdict(verdict, exercise, advice=False)


def short(path: Path) -> str:
    """A path as one would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _grading(verdict: Verdict, exercise: Exercise, now: datetime) -> Grading:
    named = dict.fromkeys(check.misconception for check in verdict.checks if check.misconception)
    known = exercise.misconceptions
    return Grading(
        at=now.timestamp(),
        status=verdict.status,
        score=verdict.score,
        passed=verdict.passed_count,
        checks=len(verdict.checks),
        seed=verdict.seed,
        mistakes={id: known[id].explanation for id in named if id in known},
    )
