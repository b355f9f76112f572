"""The mock interview: its checklists, the draw, and the spacing of reviews."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from conftest import ROOT
from interviewing import CANDIDATES, NOON, QUESTIONS, draw

from grader import judging, lessons
from grader.interview import checklist, formulas, plan
from grader.interview.reviews import Due, Reviews, suggested, when
from grader.progress import Attempt, Progress, Record
from grader.questions import Question

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number:02d}")
def test_every_question_has_points_to_tick(question: Question) -> None:
    points = checklist.points(question)
    assert checklist.FEWEST <= len(points) <= checklist.MOST
    for point in points:
        assert 20 <= len(point) <= 420, point
        assert not point.endswith((":", ";", ",")), point
        # A point is cut between formulas, code and emphasis, never within.
        assert point.count("$") % 2 == point.count("`") % 2 == point.count("**") % 2 == 0, point
    assert len(checklist.slip(question)) > 10
    assert "\n" not in checklist.slip(question)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number:02d}")
def test_formulas_are_readable_everywhere(question: Question) -> None:
    for text in (question.short_answer, question.follow_ups, question.wrong_answer):
        plain = formulas.for_terminal(text)
        assert "\\" not in plain, plain
        assert "$" not in plain
        shown = formulas.to_html(text)
        assert "$" not in shown
        assert "math-error" not in shown


def _question(short_answer: str) -> Question:
    return dataclasses.replace(QUESTIONS[0], short_answer=short_answer)


def test_points_of_lists_tables_and_sentences() -> None:
    items = "- **One.** Is i.e. this.\n- two;\n- three, `a. B` and $x. Y$"
    listed = f"Three things:\n\n{items}\n\nThe price is high today."
    assert checklist.points(_question(listed)) == [
        "**One.** Is i.e. this.", "Two.", "Three, `a. B` and $x. Y$", "The price is high today.",
    ]  # fmt: skip
    table = "| a | b |\n|---|---|\n| x | $p$ |\n| y | $q$ |\n| z | |"
    assert checklist.points(_question(table)) == ["**x**: $p$", "**y**: $q$", "**z**: "]
    prose = [
        "The first sentence stands here for itself. It leans on it.",
        "Why so? The reason for it is given in this one.",
        "The last sentence has nothing to do with others.",
    ]
    assert checklist.points(_question(" ".join(prose))) == prose


@pytest.mark.parametrize(
    ("latex", "told"),
    [
        (r"\frac{q \cdot k}{\sqrt{d_k}}", "(q · k)/√(d_k)"),
        (r"\frac{1}{n}", "1/n"),
        (r"e^{s_i - m}", "e^{s_i - m}"),
        (r"\text{softmax}(Q K^\top)\, V", "softmax(Q K^⊤) V"),
        (r"|i - j| \le w", "|i - j| ≤ w"),
    ],
)
def test_formulas_in_plain_symbols(latex: str, told: str) -> None:
    assert formulas.readable(latex) == told


def keys(drawn: Sequence[plan.Drawn]) -> list[str]:
    return [each.candidate.key for each in drawn]


def test_a_seed_reproduces_the_draw() -> None:
    assert keys(draw(7)) == keys(draw(7))
    assert len({tuple(keys(draw(seed))) for seed in range(20)}) > 15


def test_a_new_question_moves_little() -> None:
    before = keys(draw(7))
    fewer = [each for each in CANDIDATES if each.key != "question:45"]
    after = keys(plan.draw(fewer, plan.History(NOON), minutes=45, seed=7))
    assert len(set(before) & set(after)) >= len(before) - 2


@pytest.mark.parametrize("seed", range(30))
def test_a_beginners_interview(seed: int) -> None:
    drawn = draw(seed)
    questions = [each for each in drawn if each.candidate.kind == "question"]
    (exercise,) = [each for each in drawn if each.candidate.kind == "exercise"]
    assert 5 <= len(questions) <= 7
    assert sum(each.minutes for each in drawn) == pytest.approx(45, abs=1)
    assert exercise.minutes <= 20
    assert not exercise.candidate.keras
    assert len({each.candidate.topics[0] for each in questions}) >= 3
    assert drawn[0].candidate.topics[0] == "Basics"
    assert 0 < drawn.index(exercise) < len(drawn) - 1


@pytest.mark.parametrize("minutes", [5, 12, 29, 30, 45, 60, 90, 240])
def test_the_minutes_are_kept(minutes: int) -> None:
    drawn = draw(3, minutes)
    assert len(drawn) == len(set(keys(drawn))) >= 1
    assert sum(each.minutes for each in drawn) <= minutes + 1
    assert any(each.candidate.kind == "exercise" for each in drawn) == (minutes >= 30)
    assert all(each.candidate.kind == "question" for each in draw(3, minutes, coding=False))


def test_topics_restrict_the_draw() -> None:
    drawn = draw(1, topics=["Models"])
    assert {each.candidate.topics[0] for each in drawn if each.candidate.kind == "question"} == {"Models"}
    assert all("Models" in each.candidate.topics for each in drawn)
    coded = draw(1, 60, topics=["Recurrent attention"])  # a part of the curriculum: exercises only
    assert {each.candidate.kind for each in coded} == {"exercise"}
    assert 30 < sum(each.minutes for each in coded) <= 60


def test_due_reviews_come_first_and_leave_room() -> None:
    asked = [each.key for each in CANDIDATES if each.kind == "question"][:12]
    due = {key: Due(key, NOON - timedelta(days=1), 0.5, 1) for key in asked}
    drawn = draw(5, history=plan.History(NOON, due), coding=False)
    reviews = [each for each in drawn if each.reason == "due for review"]
    assert set(asked) >= {each.candidate.key for each in reviews}
    assert len(drawn) / 2 <= len(reviews) < len(drawn)
    assert all(each.reason == "new" for each in drawn if each not in reviews)
    later = {key: Due(key, NOON + timedelta(days=9), 1.0, 1) for key in asked}
    seen = sum(
        len(set(keys(draw(seed, history=plan.History(NOON, later)))) & set(asked)) for seed in range(20)
    )
    assert seen < 10


def test_weak_spots_are_asked_more_often() -> None:
    attempt = Attempt("exercise_06", "failed", 0.3, ["mask-inverted"], NOON.timestamp())
    record = Record("exercise_06", attempts=2, misconceptions={"mask-inverted": 2}, last=attempt)
    weak = plan.History(NOON, {}, {"exercise_06": record})
    other = plan.History(
        NOON, {}, {"exercise_06": Record("exercise_06", attempts=1, passed_at=NOON.timestamp())}
    )

    def counted(history: plan.History) -> Counter[str]:
        return Counter(key for seed in range(60) for key in keys(draw(seed, history=history)))

    before, after = counted(other), counted(weak)
    assert after["question:19"] > 1.3 * before["question:19"]  # masks
    assert after["exercise:06"] > 2 * before["exercise:06"]
    missed = {"question:33": Due("question:33", NOON + timedelta(days=2), 0.2, 1)}
    assert counted(plan.History(NOON, missed))["question:33"] > before["question:33"]


def test_lessons_are_found() -> None:
    lesson = lessons.of_question(19)
    assert lesson is not None
    assert lesson.notebook == "02_score_functions_and_masks"
    assert lesson.heading == "Masks"
    for exercise in judging.all_exercises():
        found = lessons.of_exercise(exercise)
        assert found is not None
        assert (ROOT / "notebooks" / "source" / f"{found.notebook}.md").is_file()


def test_fsrs_spaces_reviews() -> None:
    reviews, now, gaps = Reviews(), NOON, []
    for number in range(4):
        due, trouble = reviews.add("question:09", 3, now, score=0.8, seconds=60, interview=f"i{number}")
        assert trouble == ""
        gaps.append((due - now).days)
        assert not reviews.all()["question:09"].is_due(now)
        now = due
        assert reviews.all()["question:09"].is_due(now)
    assert gaps == sorted(gaps)
    assert gaps[0] >= 1
    assert gaps[3] > 4 * gaps[0]
    due, _ = reviews.add("question:09", 1, now, score=0.0, seconds=60, interview="again")
    assert (due - now).days <= 2
    known = reviews.all()["question:09"]
    assert (known.seen, known.score) == (5, 0.0)


def test_an_item_is_reviewed_once_in_an_interview() -> None:
    reviews = Reviews()
    first, _ = reviews.add("question:09", 4, NOON, score=1, seconds=1, interview="one")
    later = NOON + timedelta(hours=1)
    assert reviews.add("question:09", 1, later, score=0, seconds=1, interview="one") == (first, "")
    assert reviews.all()["question:09"].seen == 1


def test_outlook_is_what_happens() -> None:
    reviews = Reviews()
    outlook = reviews.outlook("question:01", NOON)
    assert list(outlook) == [1, 2, 3, 4]
    assert outlook[1] <= outlook[2] <= outlook[3] < outlook[4]
    assert reviews.add("question:01", 4, NOON, score=1, seconds=1, interview="x")[0] == outlook[4]


def test_a_card_that_cannot_be_read_is_new() -> None:
    reviews = Reviews()
    reviews.add("question:01", 4, NOON, score=1, seconds=1, interview="x")
    with Progress().connection() as database:
        database.execute("UPDATE review_cards SET card = '{}'")
    due, trouble = reviews.add("question:01", 3, NOON, score=1, seconds=1, interview="y")
    assert trouble == ""
    assert due > NOON


@pytest.mark.parametrize(
    ("score", "easily", "rating"),
    [(0, False, 1), (0.39, True, 1), (0.4, False, 2), (0.7, False, 3), (1, False, 3), (1, True, 4)],
)
def test_ratings(score: float, easily: bool, rating: int) -> None:
    assert suggested(score, easily) == rating


def test_days_in_words() -> None:
    said = [when(NOON + timedelta(days=days), NOON) for days in (-3, 0, 1, 5)]
    assert said == ["today", "today", "tomorrow", "in 5 days"]
