"""The mock interview: the draw, the clock, interruptions, the spacing of reviews, the scorecard."""

from __future__ import annotations

import dataclasses
import errno
import html.parser
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner, Result
from conftest import ROOT

from grader import judging, registry
from grader.confinement import WorkerStartError
from grader.interview import bench, checklist, formulas, lessons, plan, scorecard, start
from grader.interview.command import interview as command
from grader.interview.prompts import QUIT
from grader.interview.reviews import Due, Reviews, suggested, when
from grader.interview.session import Clock, Grading, Interview, Item, Store
from grader.progress import Attempt, Progress, Record
from grader.questions import Question, load_questions
from grader.verdict import Verdict

QUESTIONS = load_questions()
BY_NUMBER = {question.number: question for question in QUESTIONS}
CANDIDATES = plan.candidates(QUESTIONS, judging.all_exercises())
NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)
WRONG = "import numpy as np\n\n\ndef {name}(*arguments, **options):\n    return np.zeros(3)\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for all that an interview writes."""
    monkeypatch.setenv("ATTENTION_DOJO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(bench, "home", lambda: tmp_path / "interviews")
    return tmp_path


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.start = NOON
        self.clock = Clock(lambda: self.seconds, lambda: self.start + timedelta(seconds=self.seconds))


class Script:
    """A candidate: each answer is what to type, or a function that does something and returns it."""

    def __init__(self, time: Time, **answers: Sequence[object]) -> None:
        self.time = time
        self.answers = {kind: list(given) for kind, given in answers.items()}
        self.drafts: list[str] = []
        self.clocks: list[str] = []

    def _next(self, kind: str, status: Callable[[], str], otherwise: object) -> object:
        self.clocks.append(status())
        self.time.seconds += 20
        given = self.answers.get(kind) or [otherwise]
        answer = given.pop(0)
        return answer() if callable(answer) else answer

    def text(self, status: Callable[[], str], draft: str, keep: Callable[[str], None]) -> tuple[str, str]:
        self.drafts.append(draft)
        given = self._next("text", status, ("I do not know", "."))
        if isinstance(given, BaseException):
            keep("half an answer")
            raise given
        return given  # type: ignore[return-value]

    def key(self, status: Callable[[], str], message: str, keys: Sequence[str], default: str) -> str:
        given = self._next("key", status, "")
        if isinstance(given, BaseException):
            raise given
        assert given == "" or given == QUIT or given in keys
        return str(given) or default

    def line(self, status: Callable[[], str], message: str) -> str:
        return str(self._next("line", status, "/skip"))


def hold(script: Script, **wish: object) -> int:
    new = wish.pop("new", None)
    return start.hold(start.Wish(**wish), Store(), script.time.clock, script, new)  # type: ignore[arg-type]


def latest() -> Interview:
    return Store().all()[0][0]


def solve(number: int) -> Callable[[], str]:
    """Put the solution where the candidate works, and press Enter."""

    def solved() -> str:
        name = f"exercise_{number:02d}.py"
        shutil.copy(registry.solution_file(name[:-3]), bench.where(latest()) / name)
        return ""

    return solved


# ---------------------------------------------------------------------------- checklists


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


# ---------------------------------------------------------------------------- the draw


def draw(
    seed: int = 7, minutes: int = 45, history: plan.History | None = None, **more: object
) -> list[plan.Drawn]:
    history = history or plan.History(NOON)
    return plan.draw(CANDIDATES, history, minutes=minutes, seed=seed, **more)  # type: ignore[arg-type]


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


# ---------------------------------------------------------------------------- reviews


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


# ---------------------------------------------------------------------------- whole interviews


def test_a_whole_interview(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    number = next(each.candidate.number for each in draw(7) if each.candidate.kind == "exercise")
    name = f"exercise_{number:02d}"

    def wrong() -> str:
        target = registry.load(number).implements[0]
        (place / "interviews" / latest().id / f"{name}.py").write_text(WRONG.format(name=target))
        return ""

    script = Script(time, text=[("a soft lookup", "."), ("", "/skip")], key=["y", "n", "a", ""], line=[
        "", "/help", "/nonsense", wrong, solve(number),
    ])  # fmt: skip
    assert hold(script, seed=7) == 0
    shown = capsys.readouterr().out
    assert "Nothing is written in" in shown
    assert "There is no /nonsense here." in shown
    assert "PASSED" in shown
    assert "Scorecard" in shown
    done = latest()
    assert done.ended is not None
    assert done.seed == 7
    assert all(item.phase == "done" and item.due and item.rating for item in done.items)
    first, second = done.items[:2]
    assert first.answer == "a soft lookup"
    assert first.marks == [True, False, *[True] * (len(first.points) - 1)]
    assert first.score == pytest.approx(len(first.points) / (len(first.points) + 1))
    assert (second.skipped, second.score, second.rating) == (True, 0.0, 1)
    code = next(item for item in done.items if item.kind == "exercise")
    assert [grading.status for grading in code.gradings] == ["failed", "passed"]
    assert (code.score, code.rating) == (1.0, 3)
    assert Progress().records()[name].attempts == 2
    assert {item.key for item in done.items} == set(Reviews().all())
    assert "44:" in script.clocks[2]
    written = (place / "interviews" / done.id / "scorecard.md").read_text()
    assert "a soft lookup" in written
    assert f"[{name}.py]({name}.py)" in written


def test_a_low_mark_comes_back_the_next_day(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    hold(Script(time), seed=7, minutes=20, coding=False)
    first = latest()
    assert all(item.rating == 1 for item in first.items)
    time.start += timedelta(days=1)
    capsys.readouterr()
    start.list_due(time.clock)
    assert capsys.readouterr().out.count("today ") == len(first.items)
    hold(Script(time), seed=8, minutes=20, coding=False)
    again = {item.key for item in latest().items if item.reason == "due for review"}
    assert again <= {item.key for item in first.items}
    assert len(again) >= len(latest().items) / 2


def test_an_expired_clock_finishes_the_item_and_begins_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()

    def slowly() -> tuple[str, str]:
        time.seconds += 3600
        return "it took an hour", "."

    assert hold(Script(time, text=[slowly]), seed=1, minutes=20, coding=False) == 0
    done = latest()
    assert [item.phase for item in done.items] == ["done", *["waiting"] * (len(done.items) - 1)]
    shown = capsys.readouterr().out
    assert "Time is up." in shown
    assert "not reached" in shown


def test_in_overtime_an_exercise_is_graded_once_more() -> None:
    time = Time()
    drawn = draw(7)
    (exercise,) = [each.candidate for each in drawn if each.candidate.kind == "exercise"]

    def late() -> str:
        time.seconds += 7200
        target = registry.load(exercise.number).implements[0]
        path = bench.where(latest()) / f"exercise_{exercise.number:02d}.py"
        path.write_text(WRONG.format(name=target))
        return "/help"

    hold(Script(time, line=[late, "", "never asked"]), seed=7)
    code = next(item for item in latest().items if item.kind == "exercise")
    assert len(code.gradings) == 1
    assert code.phase == "done"
    assert code.rating == 1
    assert latest().items[-1].phase == "waiting"


def test_interrupted_and_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    assert hold(Script(time, text=[KeyboardInterrupt()]), seed=3, minutes=20, coding=False) == 130
    shown = capsys.readouterr().out
    assert "Interrupted" in shown
    assert "Go on with: python -m grader interview" in shown
    kept = latest()
    assert kept.items[0].answer == "half an answer"
    assert kept.items[0].seconds == pytest.approx(20)
    time.seconds += 100_000  # a pause does not count
    script = Script(time, text=[("half an answer and the rest", ".")], key=["y", KeyboardInterrupt()])
    assert hold(script, new=False) == 130
    assert script.drafts == ["half an answer"]
    kept = latest()
    assert kept.items[0].phase == "shown"
    assert kept.items[0].marks == [True]
    time.seconds += 100_000
    assert hold(Script(time, key=[QUIT]), new=False) == 0
    assert latest().items[0].marks == [True]
    assert hold(Script(time), new=False) == 0
    done = latest()
    assert done.id == kept.id
    assert done.ended is not None
    assert done.items[0].answer == "half an answer and the rest"
    assert done.items[0].marks[:2] == [True, False]
    assert done.seconds < 1200


def test_marks_can_be_taken_back() -> None:
    time = Time()
    script = Script(time, key=["y", "b", "n", "a", "b", "n", "4"])
    hold(script, seed=3, minutes=5, coding=False)
    (item,) = latest().items
    assert item.marks == [False, *[True] * (len(item.marks) - 2), False]
    assert item.rating == 4


def test_avoiding_the_mistake_alone_is_worth_nothing() -> None:
    def only_the_last() -> str:
        item = latest().items[0]
        left = len(item.points) + 1 - len(item.marks)
        return "y" if left == 1 else "n" if left else ""

    hold(Script(Time(), key=[only_the_last] * 9), seed=3, minutes=5, coding=False)
    (item,) = latest().items
    assert item.marks == [*[False] * len(item.points), True]
    assert item.score == 0.0


def test_a_new_interview_keeps_the_old_one(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()
    hold(Script(time, text=[KeyboardInterrupt()]), seed=3, minutes=20, coding=False)
    old = latest()
    time.start += timedelta(hours=1)
    hold(Script(time), new=True, seed=4, minutes=5, coding=False)
    assert latest().id != old.id
    assert not latest().aside
    assert Store().load(old.id).items[0].answer == "half an answer"
    capsys.readouterr()
    assert run("--list").output.count("not finished") == 1
    assert run("--scorecard", old.id).exit_code == 0
    assert "half an answer" in (bench.home() / old.id / "scorecard.md").read_text()
    assert hold(Script(time), new=False) == 0  # it can still be finished
    assert Store().load(old.id).ended is not None


def test_a_grader_that_cannot_start_is_no_fault_of_the_candidate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise WorkerStartError("no worker here")

    monkeypatch.setattr(bench.Bench, "warm_up", broken)
    assert hold(Script(Time()), seed=7) == 0
    code = next(item for item in latest().items if item.kind == "exercise")
    assert (code.phase, code.score, code.rating) == ("left out", None, None)
    assert "no worker here" in capsys.readouterr().out


def test_a_grading_that_fails_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> tuple[Verdict, str]:
        return Verdict("exercise_01", 1, "none", fault="it broke"), ""

    monkeypatch.setattr(bench.Bench, "grade", fails)
    hold(Script(Time(), line=["", "/skip"]), seed=7)
    code = next(item for item in latest().items if item.kind == "exercise")
    assert (code.phase, code.rating) == ("left out", None)


def test_a_full_disk_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "save", full)
    assert hold(Script(Time()), seed=7, minutes=10, coding=False) == 0
    told = capsys.readouterr()
    assert told.err.count("No space left on device") == 1
    assert "Scorecard" in told.out


def test_a_state_folder_that_is_a_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "state").write_text("not a folder")
    assert hold(Script(Time()), seed=7, minutes=10, coding=False) == 0
    told = capsys.readouterr()
    assert "cannot be saved" in told.err
    assert told.err.count("could not be noted") == 1
    (folder,) = (place / "interviews").iterdir()
    assert (folder / "scorecard.html").is_file()


def test_a_second_terminal_is_refused() -> None:
    hold(Script(Time(), text=[KeyboardInterrupt()]), seed=3, minutes=20, coding=False)
    with Store().held(latest().id) as mine:
        assert mine
        with pytest.raises(SystemExit) as ended:
            hold(Script(Time()), new=False)
    assert ended.value.code == 2


def test_a_state_that_cannot_be_read_is_told_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Store().folder
    folder.mkdir(parents=True)
    (folder / "20260101-000000.json").write_text('{"id": "x", "se')
    hold(Script(Time()), seed=7, minutes=5, coding=False)
    assert "20260101-000000.json cannot be read" in capsys.readouterr().err
    assert (folder / "20260101-000000.json").exists()


# ---------------------------------------------------------------------------- the scorecard


class Elements(html.parser.HTMLParser):
    """The elements of a page, and what is open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


NASTY = "<script>alert(1)</script>\n```\n# heading\n| a | b |\n</pre></details> & $x$ **no** {{ 7 * 7 }}"


def test_the_scorecard_takes_no_answer_for_markup(place: Path) -> None:
    hold(Script(Time(), text=[(NASTY, ".")], key=["y"]), seed=3, minutes=20, coding=False)
    folder = place / "interviews" / latest().id
    page = Elements()
    page.feed((folder / "scorecard.html").read_text())
    page.close()
    assert page.open == []
    assert page.seen["script"] == 0
    assert NASTY in page.text
    assert all(link.startswith(("../", "#")) for link in page.links)
    written = (folder / "scorecard.md").read_text()
    assert f"````text\n{NASTY}\n````" in written


def test_the_scorecard_names_mistakes_and_lessons(place: Path) -> None:
    grading = Grading(0, "failed", 0.3, 3, 10, 1, {"no-scaling": "It is <not> scaled."})
    code = Item("exercise:03", "exercise", 3, "Scaled | attention", "Part", 20)
    code.gradings, code.score, code.due, code.phase = [grading], 0.3, NOON.timestamp(), "done"
    asked = Item("question:09", "question", 9, "Why?", "Kinds", 4, answer="so", phase="done", score=1 / 3)
    asked.points, asked.slip, asked.marks = ["**A** $x$", "B"], "“wrong”", [True, False, False]
    gone = Item("question:999", "question", 999, "Gone", "Kinds", 4)
    told = Interview("i", 7, 45, NOON.timestamp(), [code, asked, gone], ended=NOON.timestamp())
    marked = scorecard.render(told, BY_NUMBER, html=False)
    assert "Scaled \\| attention" in marked
    assert "**no-scaling**: It is <not> scaled." in marked
    assert "01_softmax_attention.ipynb#Why-the-scores-are-scaled" in marked
    assert "- B" in marked
    assert "**Said, and wrong:** “wrong”" in marked
    assert "not reached" in marked
    page = scorecard.render(told, BY_NUMBER, html=True)
    assert "It is &lt;not&gt; scaled." in page
    assert "<math" in page
    Elements().feed(page)


# ---------------------------------------------------------------------------- the command


def run(*arguments: str, input: str = "") -> Result:
    return CliRunner().invoke(command, list(arguments), input=input)


def test_piped_answers() -> None:
    lines = ["it is about", "order", ".", "y", "x", "n", "", "", "", "", "", "", "", "", "", ""]
    done = run("--seed", "7", "--minutes", "5", input="\n".join(lines))
    assert done.exit_code == 0, done.output
    assert latest().items[0].answer == "it is about\norder"
    assert "left · this one" in done.output
    assert "\x1b" not in done.output
    assert "Scorecard" in done.output


def test_input_that_ends_is_no_end_of_the_interview() -> None:
    assert run("--seed", "7", "--minutes", "9", input="half").exit_code == 0
    assert latest().ended is None
    assert latest().items[0].answer == "half"
    done = run(input="\n\n\n\n\n\n\n\n\n\n\n")  # the first one goes on with it
    assert "is not finished" in done.output
    assert latest().items[0].phase == "done"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--topic", "nonsense"], "There are: Basics"),
        (["--resume"], "no interview to go on with"),
        (["--scorecard", "20200101"], "no interview '20200101'"),
        (["--minutes", "3"], "--minutes"),
    ],
)
def test_wrong_options(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert told in done.output


def test_lists_before_anything_was_asked() -> None:
    assert "Nothing has been asked" in run("--due").output
    assert "no interviews yet" in run("--list").output


def test_the_editor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = place / "editor"
    editor.write_text("#!/bin/sh\necho ' and edited' >> \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    run("--seed", "7", "--minutes", "5", input="typed\n/edit\n.\n")
    assert latest().items[0].answer.split() == ["typed", "and", "edited"]


# ---------------------------------------------------------------------------- a real terminal

DRIVER = """
import sys, pathlib
from grader.interview import bench
from grader.interview.command import interview
home = pathlib.Path(sys.argv[1])
bench.home = lambda: home
interview.main(sys.argv[2:])
"""


@pytest.fixture
def terminal(place: Path) -> Callable[..., pexpect.spawn]:
    def start(*arguments: str) -> pexpect.spawn:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "COLUMNS": "100",
        }
        command = ["-c", DRIVER, str(place / "interviews"), *arguments]
        return pexpect.spawn(
            sys.executable, command, cwd=str(ROOT), env=environment, timeout=30, dimensions=(40, 100),
            encoding="utf-8",
        )  # fmt: skip

    return start


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_in_a_terminal(terminal: Callable[..., pexpect.spawn]) -> None:
    child = terminal("--seed", "7", "--minutes", "9")
    child.expect("this one")  # the clock
    child.send("first line\rsecond li")
    wait_for(lambda: "second li" in latest().items[0].answer)
    child.kill(signal.SIGKILL)
    child.wait()

    child = terminal("--resume")
    child.expect("second li")
    child.send("ne")
    wait_for(lambda: latest().items[0].answer.endswith("line"))
    child.sendintr()
    child.expect("Interrupted")
    child.expect("Go on with")
    child.expect(pexpect.EOF)
    assert child.wait() == 130
    assert latest().items[0].answer == "first line\nsecond line"

    child = terminal()
    child.expect("Go on with it")
    child.sendline("")
    child.expect("second line")
    child.send("\r.\r")
    child.expect("Did you say it")
    child.expect("q later")
    child.send("y")
    child.expect("✓ yes")
    child.expect("q later")
    child.send("a")
    child.expect("When again")
    child.send("2")
    child.expect("Hard: it comes back")
    child.expect("2 of 2")
    child.expect("this one")
    child.send("/quit\r")
    child.expect("Stopped")
    child.expect(pexpect.EOF)
    assert child.wait() == 0
    kept = json.loads((Store().path(latest().id)).read_text())
    assert kept["items"][0]["rating"] == 2
    assert kept["items"][0]["answer"] == "first line\nsecond line"


def test_without_a_cursor(terminal: Callable[..., pexpect.spawn], monkeypatch: pytest.MonkeyPatch) -> None:
    """A dumb terminal gets plain lines."""
    environment = {**os.environ, "TERM": "dumb"}
    folder = str(bench.home())
    command = [sys.executable, "-c", DRIVER, folder, "--seed", "7", "--minutes", "5"]
    child = pexpect.spawn(
        command[0], command[1:], cwd=str(ROOT), env=environment, timeout=30, encoding="utf-8"
    )
    child.expect("left · this one 0:0. of 5:00")
    child.sendline("plain")
    child.sendline("/quit")
    child.expect("Stopped")
    child.expect(pexpect.EOF)
    assert latest().items[0].answer == "plain"


def test_a_signal_ends_it_with_a_word(place: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(place / "interviews"), "--seed", "7", "--minutes", "5"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("typed\n")
    process.stdin.flush()
    wait_for(lambda: bool(Store().all()[0]) and latest().items[0].answer == "typed")
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted" in shown
