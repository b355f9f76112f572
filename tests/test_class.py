"""`class` from end to end: a class is graded, killed, resumed, confined, and on a cluster the same."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT, solution

from grader import proofs, registry
from grader.classroom.store import Result, Store

RIGHT = solution(registry.load(1))
WRONG = (
    "import numpy as np\ndef softmax(scores, axis=-1):\n    return np.exp(scores) / np.exp(scores).sum()\n"
)
LOOP = "def softmax(scores, axis=-1):\n    while True: pass\n"
CRASH = "import os\ndef softmax(scores, axis=-1):\n    os._exit(0)\n"
SLOW = "import time\n" + RIGHT.replace(
    "scores = np.asarray(scores)\n", "scores = np.asarray(scores)\n    time.sleep(0.05)\n"
)
Grade = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions"
    for number, text in enumerate([RIGHT, WRONG, CRASH, "", "def softmax(:", RIGHT]):
        hand_in(folder, f"student {number}", text)
    (folder / "nothing handed in").mkdir()
    return folder


def hand_in(folder: Path, student: str, text: str, exercise: str = "exercise_01") -> None:
    path = folder / student / f"{exercise}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def grade(run_cli: Grade, tmp_path: Path) -> Grade:
    def run(folder: Path, *options: str, out: str = "report", **settings: Any) -> Any:
        return run_cli("class", str(folder), "--out", str(tmp_path / out), *options, **settings)

    return run


def results(out: Path) -> dict[tuple[str, str], Result]:
    with contextlib.closing(Store(out / "results.sqlite3")) as store:
        return {(one.student, one.exercise): one for one in store.results()}


def statuses(out: Path) -> dict[str, str]:
    return {student: one.status for (student, _), one in results(out).items()}


def test_every_student_gets_a_row(handed_in: Path, grade: Grade, tmp_path: Path) -> None:
    done = grade(handed_in, "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert "7 students, 6 submissions" in done.stdout
    with open(tmp_path / "report" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    told = {student: row["status"] for student, row in rows.items()}
    assert told == {
        "student 0": "passed",
        "student 1": "failed",
        "student 2": "failed",
        "student 3": "failed",
        "student 4": "failed",
        "student 5": "passed",
        "nothing handed in": "missing",
    }
    assert "whole-array" in rows["student 1"]["misconceptions"]
    found = results(tmp_path / "report")
    assert {one.document["seed"] for one in found.values() if one.document} == {5}
    assert "empty" in found["student 3", "exercise_01"].checks[0]["message"]
    assert "SyntaxError" in found["student 4", "exercise_01"].checks[0]["message"]
    assert "whole-array" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_what_is_unchanged_is_not_graded_again(handed_in: Path, grade: Grade, tmp_path: Path) -> None:
    grade(handed_in)
    before = results(tmp_path / "report")
    hand_in(handed_in, "student 1", RIGHT)
    hand_in(handed_in, "nothing handed in", WRONG)
    (handed_in / "student 5" / "exercise_01.py").unlink()
    done = grade(handed_in)
    assert "4 submissions are unchanged" in done.stderr
    after = statuses(tmp_path / "report")
    assert after["student 1"] == "passed"
    assert after["nothing handed in"] == "failed"
    assert after["student 5"] == "missing"
    seeds = {one.document["seed"] for one in results(tmp_path / "report").values() if one.document}
    assert seeds == {before["student 0", "exercise_01"].document["seed"]}
    assert "unchanged" not in grade(handed_in, "--again").stderr


def test_a_class_that_was_killed_goes_on(handed_in: Path, grade: Grade, tmp_path: Path) -> None:
    for number in range(30):
        hand_in(handed_in, f"slow {number:02d}", SLOW)
    command = [sys.executable, "-m", "grader", "class", str(handed_in), "--out", str(tmp_path / "report")]
    process = subprocess.Popen([*command, "--jobs", "2"], cwd=ROOT)
    database = tmp_path / "report" / "results.sqlite3"
    wait_for(lambda: database.exists() and len(results(tmp_path / "report")) > 8)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    kept = results(tmp_path / "report")
    assert 8 < len(kept) < 36
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive, "nothing is left behind"
    done = grade(handed_in)
    assert f"{len(kept)} submissions are unchanged" in done.stderr
    after = results(tmp_path / "report")
    assert len(after) == 37
    assert all(after[key].document == one.document for key, one in kept.items())


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_judging_process_that_dies_is_replaced(handed_in: Path, grade: Grade, tmp_path: Path) -> None:
    for number in range(20):
        hand_in(handed_in, f"slow {number:02d}", SLOW)
    command = [sys.executable, "-m", "grader", "class", str(handed_in), "--out", str(tmp_path / "report")]
    process = subprocess.Popen([*command, "--jobs", "2"], cwd=ROOT)
    database = tmp_path / "report" / "results.sqlite3"
    wait_for(lambda: database.exists() and len(results(tmp_path / "report")) > 5)
    spawned = [
        child
        for child in psutil.Process(process.pid).children()
        if any("spawn_main" in word for word in child.cmdline())
    ]
    spawned[0].kill()
    assert process.wait(timeout=120) == 0
    after = statuses(tmp_path / "report")
    assert all(after[f"slow {number:02d}"] == "passed" for number in range(20))


def test_ctrl_c_keeps_what_is_there(handed_in: Path, tmp_path: Path) -> None:
    for number in range(30):
        hand_in(handed_in, f"slow {number:02d}", SLOW)
    command = [sys.executable, "-m", "grader", "class", str(handed_in), "--out", str(tmp_path / "report")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    database = tmp_path / "report" / "results.sqlite3"
    wait_for(lambda: database.exists() and len(results(tmp_path / "report")) > 3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "The same command goes on" in told
    assert "Traceback" not in told


def test_a_full_disk_is_told_and_the_same_command_goes_on(
    handed_in: Path, grade: Grade, tmp_path: Path
) -> None:
    for number in range(40):
        hand_in(handed_in, f"wrong {number:02d}", WRONG)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = grade(handed_in, preexec_fn=little_room)
    assert done.returncode == 3
    assert "could not be kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert grade(handed_in).returncode == 0
    assert len(results(tmp_path / "report")) == 47


def test_without_confinement_it_refuses(handed_in: Path, grade: Grade, tmp_path: Path) -> None:
    bare = {**os.environ, "ATTENTION_DOJO_SANDBOX": "limits"}
    done = grade(handed_in, env=bare)
    assert done.returncode == 2
    assert "--unsandboxed" in done.stderr
    assert not results(tmp_path / "report")
    assert grade(handed_in, "--unsandboxed", env=bare).returncode == 0
    assert {one.document["sandbox"] for one in results(tmp_path / "report").values() if one.checks} == {
        "limits"
    }


def test_hostile_students_harm_nobody(grade: Grade, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    nasty = [CRASH, "import os\nos.kill(-1, 9)\n" + RIGHT, "x = [0] * 10**10\n" + RIGHT, "(" * 10**5]
    names = ["=cmd|'/c calc'!A0", "<script>alert(1)</script>", "..", "a" * 200, "'; DROP TABLE results;--"]
    for number in range(12):
        hand_in(folder, f"honest {number:02d}", RIGHT if number % 2 else WRONG)
        hand_in(folder, f"hostile {number:02d}", nasty[number % len(nasty)])
    for name in names[:2] + names[3:]:
        hand_in(folder, name.replace("/", "∕"), RIGHT)
    assert grade(folder).returncode == 0
    told = statuses(tmp_path / "report")
    assert all(told[f"honest {n:02d}"] == ("passed" if n % 2 else "failed") for n in range(12))
    assert all(told[f"hostile {n:02d}"] == "failed" for n in range(12))
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page


def test_wrong_commands(grade: Grade, tmp_path: Path) -> None:
    assert grade(tmp_path / "nowhere").returncode == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    done = grade(empty)
    assert done.returncode == 2
    assert "Expected" in done.stderr
    hand_in(empty, "Ann", RIGHT)
    assert "apart from" in grade(empty, out="empty/report").stderr
    (tmp_path / "no.zip").write_bytes(b"no zip")
    assert "not a zip file" in grade(tmp_path / "no.zip").stderr


def without_times(result: Result) -> dict[str, Any]:
    document = json.loads(json.dumps(result.document))
    for part in (document, *document.get("checks", [])):
        part.pop("seconds", None)
    return document


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler and two worker processes."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("distributed is not installed (uv run --extra cluster pytest)")
    told = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    log = open(tmp_path / "dask.log", "w")  # noqa: SIM115
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)],
        stderr=log,
        cwd=ROOT,
    )
    wait_for(told.exists)
    worker = [*dask, "worker", "--scheduler-file", str(told), "--nthreads", "1", "--no-dashboard"]
    worker += ["--local-directory", str(tmp_path)]
    workers = [subprocess.Popen(worker, stderr=log, cwd=ROOT) for _ in range(2)]
    try:
        yield json.loads(told.read_text())["address"], workers
    finally:
        for process in (*workers, scheduler):
            process.terminate()
        for process in (*workers, scheduler):
            process.wait(timeout=30)
        log.close()


def test_a_cluster_gives_the_same_results_also_when_a_worker_dies(
    grade: Grade, tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    folder = tmp_path / "submissions"
    exercise = registry.load(3)
    for number, misconception in enumerate(exercise.misconceptions.values()):
        hand_in(folder, f"wrong {number:02d}", proofs.wrong_source(exercise, misconception), exercise.name)
    for number in range(25):
        hand_in(folder, f"slow {number:02d}", SLOW)
    assert grade(folder, "--seed", "3", out="local").returncode == 0
    command = [sys.executable, "-m", "grader", "class", str(folder), "--out", str(tmp_path / "far")]
    process = subprocess.Popen([*command, "--seed", "3", "--scheduler", address], cwd=ROOT)
    database = tmp_path / "far" / "results.sqlite3"
    wait_for(lambda: database.exists() and len(results(tmp_path / "far")) > 8)
    nanny = psutil.Process(workers[0].pid)
    for child in nanny.children(recursive=True):  # the working process, its judge's workers
        with contextlib.suppress(psutil.Error):
            child.kill()
    assert process.wait(timeout=120) == 0
    local, far = results(tmp_path / "local"), results(tmp_path / "far")
    assert list(local) == list(far)
    assert [without_times(one) for one in local.values()] == [without_times(one) for one in far.values()]
    again = grade(folder, "--seed", "3", "--scheduler", address, out="far")
    handed_in = sum(one.status != "missing" for one in local.values())
    assert f"{handed_in} submissions are unchanged" in again.stderr


def test_a_cluster_that_is_not_there_is_told(handed_in: Path, grade: Grade, monkeypatch) -> None:
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("distributed is not installed")
    done = grade(handed_in, "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "no workers at tcp://127.0.0.1:9" in done.stderr
