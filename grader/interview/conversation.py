"""Holds an interview: one item after the other, until all are done or the time is up."""

from __future__ import annotations

from collections.abc import Mapping

from grader.interview import asking, bench, coding
from grader.interview.sitting import Sitting
from grader.questions import Question


def hold(sitting: Sitting, questions: Mapping[int, Question], desk: bench.Bench) -> None:
    """Hold what is left of an interview. Once the time is up, what is open is finished and nothing begun.

    Raises:
        Stopped: by the candidate; everything is saved, and so it is when KeyboardInterrupt ends it.
    """
    session = sitting.session
    for item in session.interview.items:
        if item.over:
            continue
        if item.phase == "waiting" and session.left <= 0:
            sitting.out.print("\n[bold]Time is up.[/]")
            break
        session.open(item)
        try:
            if item.kind == "question":
                asking.hold(sitting, item, questions)
            else:
                coding.hold(sitting, item, desk)
        finally:
            session.close()
    session.interview.ended = session.clock.now().timestamp()
    session.save()
