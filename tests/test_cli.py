"""The command line's contract: exit codes, JSON, messages."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import ROOT

from grader.cli_common import told_when_slow

KEYS = {"exercise", "status", "passed", "score", "seed", "seconds", "sandbox", "checks"}
CHECK_KEYS = {"name", "status", "message", "misconception", "seconds"}
WRONG = (
    "import numpy as np\ndef softmax(scores, axis=-1):\n    return np.exp(scores) / np.exp(scores).sum()\n"
)


@pytest.mark.parametrize("name", ["exercise_01", "01", "1", "exercise_1"])
def test_every_spelling_of_an_exercise(name: str, run_cli) -> None:
    done = run_cli(name, "--solution")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_slow_start_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with told_when_slow(seconds=0.05):
        time.sleep(0.5)
    with told_when_slow(seconds=0.5) as came:
        came.set()
        time.sleep(0.7)
    assert capsys.readouterr().err.count("Still loading") == 1


def test_json_is_one_object_and_nothing_else(run_cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(WRONG)
    done = run_cli("1", "--file", str(path), "--seed", "7", "--json")
    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert done.stderr == ""
    assert set(verdict) == KEYS
    assert all(set(check) == CHECK_KEYS for check in verdict["checks"])
    assert verdict["seed"] == 7
    assert verdict["status"] == "failed"
    assert verdict["passed"] is False
    assert 0 < verdict["score"] < 1
    assert "whole-array" in {check["misconception"] for check in verdict["checks"]}


def test_a_seed_replays_the_inputs(run_cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(WRONG)

    def messages(seed: str) -> list[str]:
        done = run_cli("1", "--file", str(path), "--seed", seed, "--json")
        return [check["message"] for check in json.loads(done.stdout)["checks"]]

    assert messages("3") == messages("3") != messages("4")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["exercise_99"], "Nearest"),
        (["exercize_01"], "exercise_01"),
        (["nonsense"], "there is no exercise"),
        (["1", "--file", "/no/such/file.py"], "no such file"),
        (["1", "--file", str(ROOT)], "not a file"),
        (["1", "--file", str(ROOT / "README.md")], "expected a .py or .ipynb"),
        (["1", "--seed", "-4"], "--seed"),
        (["1", "--nonsense"], "--nonsense"),
        (["hint"], "EXERCISE"),
        (["hint", "77"], "there is no exercise"),
    ],
)
def test_a_wrong_command_is_exit_code_2(arguments: list[str], told: str, run_cli) -> None:
    done = run_cli(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_stub_is_not_started_and_says_what_next(run_cli, tmp_path: Path) -> None:
    shutil.copy(ROOT / "exercises" / "exercise_03.py", tmp_path / "exercise_03.py")
    done = run_cli("3", "--file", str(tmp_path / "exercise_03.py"))
    assert done.returncode == 1
    assert "NOT STARTED" in done.stdout
    assert "hint exercise_03" in done.stdout


def test_a_mistake_is_named_and_explained_once(run_cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(WRONG)
    done = run_cli("1", "--file", str(path))
    assert done.stdout.count("The sum runs over the whole array") == 1
    assert "whole-array" in done.stdout
    assert "--seed" in done.stdout


def test_grader_fault_is_exit_code_3(run_cli, tmp_path: Path) -> None:
    environment = {**os.environ, "ATTENTION_DOJO_SANDBOX": "prayer"}
    done = run_cli("1", "--solution", env=environment)
    assert done.returncode == 3
    assert "prayer" in done.stderr


def test_keras_that_cannot_start_is_not_the_learners_fault(run_cli) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "no_such_backend"}
    done = run_cli("23", "--solution", "--json", env=environment)
    assert done.returncode == 3
    assert json.loads(done.stdout)["status"] == "error"


def test_list_and_hints(run_cli, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    listed = run_cli("list", env=environment)
    assert listed.returncode == 0
    assert "exercise_23" in listed.stdout
    counts = [run_cli("hint", "3", env=environment).stdout.count("Hint ") for _ in range(4)]
    assert counts == [1, 2, 3, 3]


def test_solution_asks_before_it_shows(run_cli) -> None:
    refused = run_cli("solution", "3", input="n\n")
    assert refused.returncode != 0
    assert "BEGIN SOLUTION" not in refused.stdout
    shown = run_cli("solution", "3", "--yes")
    assert shown.returncode == 0
    assert "BEGIN SOLUTION" in shown.stdout


@pytest.fixture
def copy_of_project(tmp_path: Path) -> Path:
    """The project without its generated and installed parts, to be changed at will."""
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "notebooks")
    shutil.copytree(ROOT, tmp_path / "project", ignore=ignored)
    return tmp_path / "project"


def test_reset_keeps_a_backup(copy_of_project: Path, run_cli) -> None:
    mine = copy_of_project / "exercises" / "exercise_01.py"
    stub = mine.read_text()
    mine.write_text(WRONG)
    done = run_cli("reset", "1", "--yes", cwd=copy_of_project)
    assert done.returncode == 0, done.stderr
    assert mine.read_text() == stub
    (backup,) = (copy_of_project / "exercises" / ".backup").iterdir()
    assert backup.read_text() == WRONG
    assert run_cli("reset", "1", "--yes", cwd=copy_of_project).stdout.count("Backup") == 0


def test_all_grades_what_is_there(copy_of_project: Path, run_cli) -> None:
    for path in (copy_of_project / "grader" / "suites").glob("exercise_*.py"):
        if path.stem not in ("exercise_01", "exercise_03"):
            path.unlink()
    done = run_cli("all", "--solution", cwd=copy_of_project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == 2
    (copy_of_project / "exercises" / "exercise_01.py").write_text(WRONG)
    done = run_cli("all", cwd=copy_of_project)
    assert done.returncode == 1
    assert "whole-array" in done.stdout
    assert "not started" in done.stdout


def test_interrupt_ends_with_a_word(tmp_path: Path) -> None:
    path = tmp_path / "exercise_01.py"
    path.write_text("def softmax(scores, axis=-1):\n    while True: pass\n")
    command = [sys.executable, "-m", "grader", "1", "--file", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not psutil.Process(process.pid).children() and process.poll() is None:
        time.sleep(0.1)  # until the worker runs
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in errors


def test_colour_in_a_terminal_unless_refused() -> None:
    def shown(**extra: str) -> str:
        parent, child = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", **extra}
        command = [sys.executable, "-m", "grader", "1", "--solution"]
        with subprocess.Popen(command, cwd=ROOT, stdout=child, env=environment) as process:
            os.close(child)
            data = b""
            while select.select([parent], [], [], 20)[0]:
                try:
                    chunk = os.read(parent, 65536)
                except OSError:
                    break
                data += chunk
            assert process.wait() == 0
        os.close(parent)
        return data.decode()

    assert "\x1b[32m" in shown()
    assert "[32m" not in shown(NO_COLOR="1")
