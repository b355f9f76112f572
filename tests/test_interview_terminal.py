"""The interview's command, piped and in a real terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from conftest import ROOT
from interviewing import latest, run

from grader.interview import bench
from grader.interview.session import Store

pytestmark = pytest.mark.usefixtures("place")


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
