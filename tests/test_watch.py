"""`watch` in a real terminal: saves of every kind, keys, moving on, and the terminal as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from grader.progress import Progress

WRONG = (
    "import numpy as np\ndef softmax(scores, axis=-1):\n    return np.exp(scores) / np.exp(scores).sum()\n"
)


@pytest.fixture
def watching(project: Path) -> Iterator[pexpect.spawn]:
    command = [sys.executable, "-m", "grader", "watch", "1"]
    child = pexpect.spawn(
        command[0], command[1:], cwd=project, timeout=30, encoding="utf-8", dimensions=(40, 100)
    )
    child.expect("NOT STARTED")
    yield child
    child.close(force=True)


def answer(project: Path, number: int = 1) -> Path:
    return project / "exercises" / f"exercise_{number:02d}.py"


def test_a_wrong_answer_a_hint_a_right_one_and_on(watching: pexpect.spawn, project: Path) -> None:
    answer(project).write_text(WRONG)
    watching.expect("whole-array")
    watching.expect("FAILED")
    watching.expect("q quit")
    watching.send("h")
    watching.expect("About your last answer: whole-array")
    # As editors do that write another file and put it in the place of the first.
    fresh = project / "exercises" / ".exercise_01.py.swp"
    shutil.copy(project / "solutions" / "exercise_01.py", fresh)
    os.replace(fresh, answer(project))
    watching.expect("exercise_01 passed")
    watching.expect("Now exercise_02")
    watching.expect("NOT STARTED")
    watching.send("n")
    watching.expect("Now exercise_03")
    watching.send("q")
    watching.expect(pexpect.EOF)
    watching.close()
    assert watching.exitstatus == 0
    record = Progress().records()["exercise_01"]
    assert (record.attempts, record.passed, record.hints) == (2, True, 1)


def test_half_a_line_is_no_attempt(watching: pexpect.spawn, project: Path) -> None:
    answer(project).write_text("def softmax(scores, axis=-1")
    watching.expect("Not yet Python, line 1")
    answer(project).write_text(WRONG)
    watching.expect("FAILED")
    assert Progress().records()["exercise_01"].attempts == 1


def test_two_saves_in_a_row_show_the_second(watching: pexpect.spawn, project: Path) -> None:
    answer(project).write_text(WRONG)
    time.sleep(0.05)
    shutil.copy(project / "solutions" / "exercise_01.py", answer(project))
    watching.expect("exercise_01 passed")


def test_a_file_that_is_gone_for_a_while(watching: pexpect.spawn, project: Path) -> None:
    answer(project).unlink()
    time.sleep(0.4)
    answer(project).write_text(WRONG)
    watching.expect("FAILED")


def test_what_is_shown_fits_the_screen(watching: pexpect.spawn, project: Path) -> None:
    watching.expect("q quit")
    answer(project).write_text(WRONG)
    watching.expect("q quit")
    screen = re.split(r"\x1b\[2J", watching.before)[-1]
    assert screen.count("\n") < 40
    assert "a matrix: every row on its own" in screen


def test_ctrl_c_leaves_the_terminal_as_it_was(watching: pexpect.spawn) -> None:
    watching.sendintr()
    watching.expect(pexpect.EOF)
    local_modes = termios.tcgetattr(watching.child_fd)[3]
    assert local_modes & termios.ECHO
    assert local_modes & termios.ICANON
    watching.close()
    assert watching.exitstatus == 0


def test_without_a_terminal_it_prints_one_after_another(project: Path) -> None:
    command = [sys.executable, "-m", "grader", "watch", "1"]
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "NOT STARTED" in line:
                answer(project).write_text(WRONG)
            if "FAILED" in line:
                break
        child.terminate()
    assert "\x1b" not in line
