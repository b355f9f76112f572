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

from grader import proofs, registry, sources
from grader.classroom import cluster as cluster_grading
from grader.classroom.store import Result, Store

RIGHT = solution(registry.load(1))
WRONG = (
    "import numpy as np\ndef softmax(scores, axis=-1):\n    return np.exp(scores) / np.exp(scores).sum()\n"
)
LOOP = "def softmax(scores, axis=-1):\n    while True: pass\n"
CRASH = "import os\ndef softmax(scores, axis=-1):\n    os._exit(0)\n"
SLOW = "import time\n" + RIGHT.replace(
    "scores = np.asarray(scores)\n", "scores = np.asarray(scores)\n    time.sleep(0.02)\n"
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


def test_why_somebody_failed_stands_in_the_grades(grade: Grade, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    definition = "def softmax(scores, axis=-1):\n    "
    expected = {
        "empty file": "",
        "syntax error": "def softmax(:",
        "name missing": "x = 1\n",
        "crashed": CRASH,
        "timeout": LOOP,
        "raised KeyError": f"{definition}return {{}}['x']\n",
        "raised Own": f"class Own(Exception): pass\n{definition}raise Own('x')\n",
        "raised an exception": f"{definition}raise type('=1\\x1b[31m', (Exception,), {{}})\n",
        "raised ZeroDivisionError": f"1 / 0\n{definition}return scores\n",
        "wrong result": f"{definition}return scores * 0 + 7\n",
        "uses what is not allowed": f"import scipy\n{definition}return scipy.special.softmax(scores)\n",
    }
    for reason, text in expected.items():
        hand_in(folder, reason, text)
    (folder / "cannot be read").mkdir()
    (folder / "cannot be read" / "exercise_01.py").symlink_to("/etc/hosts")
    assert grade(folder, "--feedback", "names").returncode == 0
    with open(tmp_path / "report" / "grades.csv", encoding="utf-8-sig", newline="") as file:
        told = {row["student"]: row["reason"] for row in csv.DictReader(file)}
    assert told == {reason: reason for reason in [*expected, "cannot be read"]}
    for student in ("empty file", "syntax error", "name missing"):
        text = (tmp_path / "report" / "submissions" / student / "exercise_01.txt").read_text("utf-8")
        assert (
            results(tmp_path / "report")[student, "exercise_01"].checks[0]["message"].splitlines()[0]
            in text
        )


def test_other_exercises_stay(grade: Grade, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    for student in ("ann", "bob", "cy"):
        hand_in(folder, student, RIGHT)
        hand_in(folder, student, "", "exercise_02")
        hand_in(folder, student, "", "exercise_03")
    grade(folder)
    assert len(results(tmp_path / "report")) == 9
    for number in (1, 2):
        (folder / "cy" / f"exercise_0{number}.py").unlink()
    done = grade(folder, "--exercise", "2")
    assert "1 result whose file is no longer among the submissions was dropped." in done.stderr
    after = results(tmp_path / "report")
    assert len(after) == 9
    assert {key for key, one in after.items() if one.status == "missing"} == {("cy", "exercise_02")}
    other = tmp_path / "other"
    hand_in(other, "ann", RIGHT)
    done = grade(other)
    assert "5 results of 2 students who are no longer among the submissions were dropped." in done.stderr
    assert "2 results of 2 exercises that are no longer among the submissions were dropped." in done.stderr
    assert list(results(tmp_path / "report")) == [("ann", "exercise_01")]
    assert "dropped" not in grade(other).stderr


def test_nobody_misses_what_nobody_began(grade: Grade, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    hand_in(folder, "ann", RIGHT)
    hand_in(folder, "ann", sources.stub_text(registry.solution_file("exercise_02")), "exercise_02")
    hand_in(folder, "bob", RIGHT)
    grade(folder)
    found = {key: one.status for key, one in results(tmp_path / "report").items()}
    assert found == {
        ("ann", "exercise_01"): "passed",
        ("ann", "exercise_02"): "not_started",
        ("bob", "exercise_01"): "passed",
    }
    grade(folder, "--exercise", "2")
    assert results(tmp_path / "report")["bob", "exercise_02"].status == "missing"


def test_a_roster_is_compared(grade: Grade, tmp_path: Path) -> None:
    folder, roster = tmp_path / "submissions", tmp_path / "roster.txt"
    for student in ("ann", "bob", *(f"guest {number} [red]\x1b[31m" for number in range(7))):
        hand_in(folder, student, RIGHT)
    roster.write_text("ann\nbob\ncy\ndan\n")
    done = grade(folder, "--roster", str(roster))
    guests = ", ".join(f"guest {number} [red]" for number in range(5))
    told = f"2 of the roster handed in nothing; 7 who handed in are not on the roster: {guests} and 2 more"
    assert told in done.stdout
    assert "of the roster" not in grade(folder).stdout


def test_what_is_left_aside_is_told_in_few_lines(grade: Grade, tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    hand_in(folder, "ann", RIGHT)
    for number in range(14):
        hand_in(folder, "ann\x1b[31m", RIGHT, f"notes {number}")
    done = grade(folder)
    assert done.stderr.count("Left aside: ") == 10
    assert "… and 4 more, in report.html" in done.stderr
    assert "\x1b" not in done.stderr
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "14 files not graded" in page


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_its_like_keep_what_is_there(number: int, handed_in: Path, tmp_path: Path) -> None:
    for student in range(30):
        hand_in(handed_in, f"slow {student:02d}", SLOW)
    command = [sys.executable, "-m", "grader", "class", str(handed_in), "--out", str(tmp_path / "report")]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    surroundings = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=surroundings)
    database = tmp_path / "report" / "results.sqlite3"
    wait_for(lambda: database.exists() and len(results(tmp_path / "report")) > 3)
    assert list(scratch.glob("attention-dojo-class-*"))
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert not list(scratch.glob("attention-dojo-class-*"))
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


def test_a_cluster_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("distributed is not installed")
    monkeypatch.setattr(cluster_grading, "_WAIT_SECONDS", 1.0)
    with pytest.raises(cluster_grading.ClusterError, match=r"no workers at tcp://127\.0\.0\.1:9"):
        cluster_grading.Cluster("tcp://127.0.0.1:9", seed=1)
