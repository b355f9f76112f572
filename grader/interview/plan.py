"""Draws an interview: which questions and exercises, and how the minutes are shared.

The draw is a function of the seed, the learner's history and the day. What is due for review comes first,
then where the learner is weak, then what was never asked; all spread over topics. Without a history, it
begins with basics.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from grader import lessons
from grader.exercise import Exercise
from grader.interview.reviews import Due, item_key
from grader.progress import Record
from grader.questions import Question

# To answer and to mark; an interviewer's question takes about as long.
QUESTION_MINUTES = 4
_CODING_SHARE = 0.45
_CODING_FROM_MINUTES = 30
_SMALLEST_EXERCISE = 15
_MOST_EXERCISES = 3
# What somebody without a history is asked first, and how much of it at least.
_EASY_TOPIC, _EASY_SHARE = "Basics", 1 / 4
# Reviews leave room for what was never asked.
_REVIEW_SHARE = 2 / 3
_WEAK_SCORE = 0.7
_LONG_AGO_DAYS = 7
# How many exercises beyond the last one that was tried are thought to be within reach.
_REACH = 2


@dataclass(frozen=True)
class Candidate:
    """What may be drawn. `topics` are those that it counts for; the first is shown."""

    key: str
    kind: Literal["question", "exercise"]
    number: int
    title: str
    topics: tuple[str, ...]
    minutes: float
    notebook: str = ""
    keras: bool = False


@dataclass(frozen=True)
class History:
    """What is known of the learner at a time: reviews by item, records by exercise."""

    now: datetime
    due: Mapping[str, Due] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever asked or tried."""
        return not self.due and not self.records


@dataclass(frozen=True)
class Drawn:
    """A candidate that was drawn, why, and its share of the time."""

    candidate: Candidate
    reason: str
    minutes: float


def candidates(questions: Iterable[Question], exercises: Iterable[Exercise]) -> list[Candidate]:
    """List all that can be drawn. An exercise counts for the topics that its notebook asks about."""
    found = []
    asked: dict[str, dict[str, None]] = {}
    for question in questions:
        lesson = lessons.of_question(question.number)
        notebook = lesson.notebook if lesson else ""
        asked.setdefault(notebook, {})[question.topic] = None
        key = item_key("question", question.number)
        found.append(
            Candidate(
                key,
                "question",
                question.number,
                question.title,
                (question.topic,),
                QUESTION_MINUTES,
                notebook,
            )
        )
    for exercise in exercises:
        notebook = exercise.lesson.partition("#")[0]
        topics = (exercise.part, *(asked.get(notebook, ()) if notebook else ()))
        key = item_key("exercise", exercise.number)
        keras = exercise.kind == "keras"
        found.append(
            Candidate(
                key, "exercise", exercise.number, exercise.title, topics, exercise.minutes, notebook, keras
            )
        )
    return found


def draw(
    found: Sequence[Candidate],
    history: History,
    *,
    minutes: int,
    seed: int,
    topics: Sequence[str] = (),
    coding: bool = True,
) -> list[Drawn]:
    """Draw an interview.

    Args:
        found: What there is.
        history: Of the learner.
        minutes: How long it may take.
        seed: The same seed draws the same for the same history.
        topics: Only these, when any.
        coding: Whether exercises are drawn.

    Returns:
        What to ask, in that order: easier questions, the exercises, the other questions.
    """
    struggled = _struggled(history, found)
    if topics:
        found = [each for each in found if set(each.topics) & set(topics)]
    urn = _Urn(seed, history)
    exercises: list[tuple[Candidate, str]] = []
    if coding and minutes >= _CODING_FROM_MINUTES:
        alone = all(each.kind == "exercise" for each in found)
        budget = minutes if alone else max(_CODING_SHARE * minutes, _SMALLEST_EXERCISE)
        exercises = _draw_exercises(urn, found, budget)
    left = minutes - sum(each.minutes for each, _ in exercises)
    questions = [each for each in found if each.kind == "question"]
    picked = _draw_questions(urn, questions, struggled, max(1, int(left // QUESTION_MINUTES)))
    share = min(left / len(picked), QUESTION_MINUTES * 1.25) if picked else 0.0
    asked = [Drawn(each, reason, round(share, 1)) for each, reason in picked]
    asked.sort(key=lambda drawn: drawn.candidate.number)
    coded = [Drawn(each, reason, each.minutes) for each, reason in exercises]
    coded.sort(key=lambda drawn: drawn.candidate.number)
    warm = math.ceil(len(asked) / 2)
    return [*asked[:warm], *coded, *asked[warm:]]


class _Urn:
    """Weighted draws without putting back, by a race: each candidate's time is its own random number.

    So a question that is added to the project moves no other candidate's number.
    """

    def __init__(self, seed: int, history: History) -> None:
        self.seed = seed
        self.history = history
        self.topics: Counter[str] = Counter()
        notes = ((each, record) for each, record in history.records.items())
        self.tried = max((int(name[-2:]) for name, record in notes if record.attempts), default=0)

    def take(self, pool: Mapping[str, tuple[Candidate, float]]) -> Candidate:
        """Take one: weights fall with every other one of its topic."""

        def arrival(key: str) -> float:
            candidate, weight = pool[key]
            chance = 1.0 - random.Random(f"{self.seed} {key}").random()
            crowd = 1 + self.topics[candidate.topics[0]]
            return -math.log(chance) * crowd / weight

        taken = pool[min(pool, key=lambda key: (arrival(key), key))][0]
        self.topics[taken.topics[0]] += 1
        return taken


def _draw_questions(
    urn: _Urn, pool: Sequence[Candidate], struggled: Mapping[str, str], count: int
) -> list[tuple[Candidate, str]]:
    weighed = {each.key: (each, *_weigh_question(each, urn.history, struggled)) for each in pool}
    reviews = {key for key, (_, _, reason) in weighed.items() if reason == "due for review"}
    picked: list[tuple[Candidate, str]] = []
    if urn.history.empty:
        easy = {each.key for each in pool if each.topics[0] == _EASY_TOPIC}
        _take_from(urn, weighed, easy, math.ceil(_EASY_SHARE * count), picked)
    for wanted, limit in ((reviews, math.ceil(_REVIEW_SHARE * count)), (set(weighed) - reviews, count)):
        _take_from(urn, weighed, wanted, limit, picked)
    _take_from(urn, weighed, set(weighed), count, picked)
    return picked


def _take_from(
    urn: _Urn,
    weighed: Mapping[str, tuple[Candidate, float, str]],
    wanted: set[str],
    limit: int,
    picked: list[tuple[Candidate, str]],
) -> None:
    """Take of the wanted ones until `limit` are picked."""
    pool = {key: weighed[key][:2] for key in wanted if key not in {each.key for each, _ in picked}}
    while pool and len(picked) < limit:
        taken = urn.take(pool)
        picked.append((taken, weighed[taken.key][2]))
        del pool[taken.key]


def _struggled(history: History, found: Sequence[Candidate]) -> Mapping[str, str]:
    """Where mistakes were made: an exercise of that kind, by notebook."""
    notebooks = {each.key: each.notebook for each in found if each.kind == "exercise"}
    return {
        notebooks.get(item_key("exercise", int(name[-2:])), ""): name
        for name, record in history.records.items()
        if record.misconceptions or (record.attempts and not record.passed)
    }


def _weigh_question(each: Candidate, history: History, struggled: Mapping[str, str]) -> tuple[float, str]:
    due = history.due.get(each.key)
    if due is not None and due.is_due(history.now):
        return 1.5 - due.score, "due for review"
    if due is not None and due.score < _WEAK_SCORE:
        return 3.0, "missed last time"
    if due is not None:
        return 0.2, "known"
    if each.notebook and each.notebook in struggled:
        return 4.0, f"near a mistake of yours in {struggled[each.notebook]}"
    return 2.0, "new"


def _draw_exercises(urn: _Urn, found: Sequence[Candidate], budget: float) -> list[tuple[Candidate, str]]:
    pool = [each for each in found if each.kind == "exercise"]
    weighed = {each.key: (each, *_weigh_exercise(each, urn)) for each in pool}
    picked: list[tuple[Candidate, str]] = []
    while len(picked) < _MOST_EXERCISES:
        left = budget - sum(each.minutes for each, _ in picked)
        fitting = {key for key, (each, _, _) in weighed.items() if each.minutes <= left}
        before = len(picked)
        _take_from(urn, weighed, fitting, before + 1, picked)
        if len(picked) == before:
            break
    return picked


def _weigh_exercise(each: Candidate, urn: _Urn) -> tuple[float, str]:
    """Weigh an exercise; NumPy ones more, since Keras layers are not written from memory."""
    weight, reason = _exercise_need(each, urn)
    return weight / (3 if each.keras else 1), reason


def _exercise_need(each: Candidate, urn: _Urn) -> tuple[float, str]:
    history = urn.history
    due = history.due.get(each.key)
    if due is not None:
        if due.is_due(history.now):
            return 50.0, "due for review"
        return (3.0, "missed last time") if due.score < _WEAK_SCORE else (0.1, "known")
    record = history.records.get(f"exercise_{each.number:02d}")
    if record is None or not record.attempts:
        # Far ahead of what was tried, it would ask for what the learner has not read.
        return (2.0 if each.number <= urn.tried + _REACH + 1 else 0.05), "new"
    if not record.passed:
        return 5.0, "tried, not passed yet"
    if record.misconceptions or record.hints or record.solution_shown:
        return 3.0, "passed with mistakes or help"
    days = (history.now.timestamp() - (record.passed_at or 0.0)) / 86400
    return (2.0, "passed a while ago") if days > _LONG_AGO_DAYS else (0.1, "passed lately")
