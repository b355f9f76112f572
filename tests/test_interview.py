"""Whole mock interviews: the clock, interruptions, full disks, the scorecard."""

from __future__ import annotations

import errno
import html.parser
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from interviewing import BY_NUMBER, NOON, WRONG, Script, Time, draw, hold, latest, run, solve

from grader import registry
from grader.confinement import WorkerStartError
from grader.interview import bench, scorecard, start
from grader.interview.prompts import QUIT
from grader.interview.reviews import Reviews
from grader.interview.session import Grading, Interview, Item, Store
from grader.progress import Progress
from grader.verdict import Verdict

pytestmark = pytest.mark.usefixtures("place")


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
