"""`%%exercise` and the other magics in a real IPython shell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import solution
from IPython.testing.globalipapp import start_ipython

from grader import desk, judging, notebook, registry, sources
from grader.card import Card, lesson_link
from grader.progress import Progress

RIGHT = solution(registry.load(1))
WRONG = (
    "import numpy as np\ndef softmax(scores, axis=-1):\n    return np.exp(scores) / np.exp(scores).sum()\n"
)
STUB = sources.stub_text(registry.solution_file("exercise_01"))


@pytest.fixture(scope="module")
def shell() -> Iterator[object]:
    made = start_ipython()
    made.run_line_magic("load_ext", "grader")
    yield made
    made.run_line_magic("unload_ext", "grader")


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    """Every card that is shown."""
    shown: list[Card] = []
    monkeypatch.setattr(notebook, "_Display", lambda replaces: shown.append)
    return shown


@pytest.fixture
def desk_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "exercises" / "exercise_01.py"
    path.parent.mkdir()
    monkeypatch.setattr(registry, "exercise_file", lambda name: path)
    return path


def test_a_wrong_answer_is_saved_named_and_drawn(shell, cards, desk_file: Path) -> None:
    shell.run_cell_magic("exercise", "exercise_01", WRONG)
    assert desk_file.read_text() == WRONG
    page = cards[-1]._repr_html_()
    assert "The sum runs over the whole array" in page
    assert 'class="failed"' in page
    assert "whole-array" in repr(cards[-1])
    assert shell.user_ns["softmax"].__name__ == "softmax"
    assert page.partition("<details>")[0].count("<svg") == 3  # yours, expected, the difference
    assert 'href="' in page
    assert "01_softmax_attention.ipynb#Softmax" in page


def test_a_right_answer_shows_its_own_weights_alone(shell, cards, desk_file: Path) -> None:
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert cards[-1]._repr_html_().count("<svg") == 1


def test_checks_show_while_others_run(shell, cards, desk_file: Path, monkeypatch) -> None:
    monkeypatch.setattr(notebook, "_SHOWN_EVERY", -1.0)
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    *partial, last = cards
    assert len(partial) == len(last.verdict.checks)
    assert all(card.running for card in partial)
    assert not last.running
    assert "running" in partial[0]._repr_html_()


def test_the_card_escapes_what_learners_write(shell, cards, desk_file: Path) -> None:
    text = "def softmax(scores, axis=-1):\n    print('<b>'); raise ValueError('<script>')\n"
    shell.run_cell_magic("exercise", "1", text)
    page = cards[-1]._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;" in page


def test_a_stub_never_replaces_an_answer(shell, cards, desk_file: Path) -> None:
    desk_file.write_text(RIGHT)
    shell.run_cell_magic("exercise", "exercise_01", STUB)
    assert desk_file.read_text() == RIGHT
    assert "keeps what it holds" in cards[-1].notes[0]
    assert cards[-1].verdict.status == "not_started"


def test_what_is_only_tried_leaves_nothing_behind(shell, cards, desk_file: Path) -> None:
    desk_file.write_text(RIGHT)
    shell.run_cell_magic("exercise", "exercise_01 --try", WRONG)
    assert cards[-1].verdict.status == "failed"
    assert desk_file.read_text() == RIGHT
    assert not Progress().records()


def test_an_earlier_answer_is_kept_as_a_backup(shell, cards, desk_file: Path) -> None:
    desk_file.write_text(WRONG)
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert cards[-1].verdict.passed
    assert desk_file.read_text() == RIGHT
    (backup,) = (desk_file.parent / ".backup").iterdir()
    assert backup.read_text() == WRONG
    assert backup.name in cards[-1].notes[0]


def test_warm_verdicts_follow_each_other(shell, cards, desk_file: Path) -> None:
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    worker = notebook._desk.benches["numpy"].worker
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert [card.verdict.passed for card in cards if not card.running] == [True, True]
    assert notebook._desk.benches["numpy"].worker is worker


def test_a_dead_worker_is_replaced(shell, cards, desk_file: Path) -> None:
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    process = notebook._desk.benches["numpy"].worker.process.popen
    process.kill()
    process.wait()
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert cards[-1].verdict.passed


def test_two_at_once_wait_for_each_other(shell, desk_file: Path) -> None:
    exercise, shown = registry.load(1), []
    notebook._desk.benches["numpy"].start()  # by this thread: a worker ends with the one that started it
    cells = [WRONG, RIGHT, WRONG, RIGHT]
    threads = [
        threading.Thread(target=notebook.grade_cell, args=[exercise, cell, shown.append]) for cell in cells
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(card.verdict.passed for card in shown if not card.running) == [False, False, True, True]
    assert desk_file.read_text() in cells


def test_an_interrupted_grading_leaves_a_desk_that_works(
    shell, cards, desk_file: Path, monkeypatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(judging, "grade", interrupted)
        with pytest.raises(KeyboardInterrupt):
            notebook.grade_cell(registry.load(1), RIGHT, cards.append)
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert cards[-1].verdict.passed


def test_a_cell_that_was_interrupted_is_saved_and_not_graded(shell, cards, desk_file: Path, capsys) -> None:
    shell.run_cell_magic("exercise", "exercise_01", "raise KeyboardInterrupt\n")
    assert desk_file.read_text() == "raise KeyboardInterrupt\n"
    assert "not graded" in capsys.readouterr().out
    assert not cards


def test_a_folder_that_cannot_be_written_is_told(shell, cards, desk_file: Path, monkeypatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk, "write", full)
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert cards[-1].verdict.passed
    assert "No space left on device" in cards[-1].notes[0]


def test_an_unknown_exercise_and_a_broken_cell(shell, cards, desk_file: Path, capsys) -> None:
    shell.run_cell_magic("exercise", "exercise_99", RIGHT)
    assert not cards
    assert "Nearest" in capsys.readouterr().out
    shell.run_cell_magic("exercise", "exercise_01", "def softmax(:\n")
    assert "SyntaxError" in cards[-1].verdict.checks[0].message


def test_hint_solution_and_progress(shell, cards, desk_file: Path, capsys) -> None:
    shell.run_cell_magic("exercise", "exercise_01", WRONG)
    shell.run_line_magic("hint", "")
    assert "About your last answer: whole-array" in capsys.readouterr().out
    shell.run_line_magic("hint", "1")
    assert "About your last answer: no-max-subtraction" in capsys.readouterr().out
    shell.run_line_magic("hint", "1")
    assert "Hint 1 of 3" in capsys.readouterr().out
    assert shell.run_line_magic("solution", "1") is None
    assert "not passed yet" in capsys.readouterr().out
    page = shell.run_line_magic("solution", "1 --yes")._repr_html_()
    assert "np.exp(scores) / np.exp(scores).sum()" in page
    assert "### BEGIN" not in page
    record = Progress().records()["exercise_01"]
    assert (record.attempts, record.hints, record.solution_shown) == (1, 3, True)
    page = shell.run_line_magic("progress", "")._repr_html_()
    assert "0 of 29 exercises passed" in page
    assert 'class="tile tried"' in page


def test_links_lead_to_headings_that_exist() -> None:
    for exercise in judging.all_exercises():
        link = lesson_link(exercise)
        slug = exercise.lesson.partition("#")[2]
        assert slug.split("-")[0] in link.lower()
        assert f"#{slug}" not in link  # the heading itself was found, not only its slug
