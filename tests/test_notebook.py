"""`%%exercise` in a real IPython shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import solution
from IPython.testing.globalipapp import start_ipython

from grader import notebook, registry, sources

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
def desk_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "exercises" / "exercise_01.py"
    path.parent.mkdir()
    monkeypatch.setattr(registry, "exercise_file", lambda name: path)
    return path


def test_a_wrong_answer_is_saved_and_named(shell, desk_file: Path) -> None:
    card = shell.run_cell_magic("exercise", "exercise_01", WRONG)
    assert desk_file.read_text() == WRONG
    page = card._repr_html_()
    assert "The sum runs over the whole array" in page
    assert 'class="failed"' in page
    assert "whole-array" in repr(card)
    assert shell.user_ns["softmax"].__name__ == "softmax"


def test_the_card_escapes_what_learners_write(shell, desk_file: Path) -> None:
    text = "def softmax(scores, axis=-1):\n    print('<b>'); raise ValueError('<script>')\n"
    page = shell.run_cell_magic("exercise", "1", text)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;" in page


def test_a_stub_never_replaces_an_answer(shell, desk_file: Path) -> None:
    desk_file.write_text(RIGHT)
    card = shell.run_cell_magic("exercise", "exercise_01", STUB)
    assert desk_file.read_text() == RIGHT
    assert "keeps what it holds" in card.note
    assert card.verdict.status == "not_started"


def test_an_earlier_answer_is_kept_as_a_backup(shell, desk_file: Path) -> None:
    desk_file.write_text(WRONG)
    card = shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    assert card.verdict.passed
    assert desk_file.read_text() == RIGHT
    (backup,) = (desk_file.parent / ".backup").iterdir()
    assert backup.read_text() == WRONG
    assert backup.name in card.note


def test_warm_verdicts_follow_each_other(shell, desk_file: Path) -> None:
    first = shell.run_cell_magic("exercise", "exercise_01", RIGHT).verdict
    worker = notebook._desk._worker
    second = shell.run_cell_magic("exercise", "exercise_01", RIGHT).verdict
    assert first.passed
    assert second.passed
    assert notebook._desk._worker is worker


def test_a_dead_worker_is_replaced(shell, desk_file: Path) -> None:
    shell.run_cell_magic("exercise", "exercise_01", RIGHT)
    notebook._desk._worker.process.popen.kill()
    notebook._desk._worker.process.popen.wait()
    assert shell.run_cell_magic("exercise", "exercise_01", RIGHT).verdict.passed


def test_an_unknown_exercise_and_a_broken_cell(shell, desk_file: Path, capsys) -> None:
    assert shell.run_cell_magic("exercise", "exercise_99", RIGHT) is None
    assert "Nearest" in capsys.readouterr().out
    card = shell.run_cell_magic("exercise", "exercise_01", "def softmax(:\n")
    assert "SyntaxError" in card.verdict.checks[0].message
