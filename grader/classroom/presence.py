"""Who handed in what: rows for what is missing, and what is no longer in the class."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from grader.classroom.collect import Class
from grader.classroom.store import MISSING, Result, Store, by_name
from grader.plain import one_line

_NAMES, _LONGEST = 5, 60
Key = tuple[str, str]  # student, exercise


def complete(found: Class, store: Store, only: Sequence[int]) -> list[str]:
    """Add a row for everything that is missing, and drop what is no longer in the class.

    An exercise that nobody began is missed of nobody, unless it was asked for.

    Args:
        found: The class, graded.
        store: Its results.
        only: Exercises that were asked for: those alone are touched. All when empty.

    Returns:
        What to tell about results that were dropped.
    """
    present = {(one.student, _name(one.exercise)) for one in found.submissions}
    known = store.known()
    asked = {_name(number) for number in only}
    begun = {key[1] for key in present if key in known and known[key][2] != "not_started"}
    expected = begun | asked or {exercise for _, exercise in present}
    wanted = {(student, exercise) for student in found.students for exercise in expected}
    kept = present | wanted
    gone = [key for key in known if key not in kept and (not asked or key[1] in asked)]
    absent = [key for key in sorted(wanted - present) if key not in known or known[key][2] != MISSING]
    store.forget(gone)
    store.add([Result(student, exercise) for student, exercise in absent])
    lost = [key for key in (*gone, *absent) if key in known and known[key][2] != MISSING]
    return _dropped(lost, found.students, {exercise for _, exercise in present} | asked)


def _name(exercise: int) -> str:
    return f"exercise_{exercise:02d}"


def _dropped(lost: Sequence[Key], students: Collection[str], exercises: Collection[str]) -> list[str]:
    left = [key for key in lost if key[0] not in students]
    over = [key for key in lost if key[0] in students and key[1] not in exercises]
    files = len(lost) - len(left) - len(over)
    lines = []
    if left:
        who = _counted(len({student for student, _ in left}), "student who is", "students who are")
        lines.append(f"{_results(left)} of {who} no longer among the submissions")
    if over:
        what = _counted(len({exercise for _, exercise in over}), "exercise that is", "exercises that are")
        lines.append(f"{_results(over)} of {what} no longer among the submissions")
    if files:
        whose = _counted(files, "result whose file is", "results whose files are")
        lines.append(f"{whose} no longer among the submissions")
    counts = [len(left), len(over), files]
    verbs = ["was dropped." if count == 1 else "were dropped." for count in counts if count]
    return [f"{line} {verb}" for line, verb in zip(lines, verbs, strict=True)]


def _results(keys: Sequence[Key]) -> str:
    return _counted(len(keys), "result", "results")


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def against_roster(found: Class, roster: Collection[str], only: Sequence[int] = ()) -> str:
    """Say how the class differs from its roster; "" where it does not."""
    came = {one.student for one in found.submissions} | {one.student for one in found.aside} - {""}
    missed = len(set(roster) - came)
    strangers = sorted(came - set(roster), key=by_name)
    parts = []
    if missed:
        parts.append(
            f"{missed} of the roster handed in nothing" + (" of what was asked for" if only else "")
        )
    if strangers:
        names = ", ".join(one_line(name, _LONGEST) for name in strangers[:_NAMES])
        more = f" and {len(strangers) - _NAMES} more" if len(strangers) > _NAMES else ""
        who = _counted(len(strangers), "who handed in is", "who handed in are")
        parts.append(f"{who} not on the roster: {names}{more}")
    return "; ".join(parts)
