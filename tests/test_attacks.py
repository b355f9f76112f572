"""Every attack in `tests/attacks/`: none passes, none harms the next verdict, none is there afterwards.

An attack is a submission. Its docstring says what it tries, and in lines of their own: the `exercise`;
`expect`, the outcomes that are true of it (any but "passed" otherwise); `seconds`, a shorter time limit
of a check; `stop after` so many failed checks; `not in` which confinement it is no attack. It prints
"BREACH" where a part of what it tries comes off. All attacks on a confinement share one warm worker.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest
from conftest import solution

from grader import judging, registry
from grader.confinement import CHOICE_VARIABLE, Sandbox, candidates
from grader.plain import plain
from grader.sessions import Limits, SessionEnded
from grader.verdict import Verdict
from grader.workers import Worker

ATTACKS = sorted(path for path in (Path(__file__).parent / "attacks").iterdir() if path.is_file())
# Where Landlock or bubblewrap would be what stops an attack, there is nothing to be seen in "limits".
IN_LIMITS = (
    "forged_reply",
    "memory_of_others",
    "ptrace",
    "administrators_rights",
    "double_fork",
    "signals_to_all",
    "outlives_its_parent",
    "a_deep_tree",
    "shared_memory",
    "exits_everywhere",
)
MEBIBYTE = 1024 * 1024
RIGHT = solution(registry.load(1))
WRONG = RIGHT.replace("return powers / np.where(total == 0, 1, total)", "return powers")
# Right, and raises where the worker or the machine is not as it was.
WITNESS = f"""{RIGHT}
import gc, os, signal, sys, threading, time
assert os.listdir(".") == [], "files were left"
assert os.getpriority(os.PRIO_PROCESS, 0) == 0, "slowed down"
assert threading.active_count() == 1, "threads were left"
ignored = [n for n in range(1, 32) if signal.getsignal(n) is signal.SIG_IGN]
assert set(ignored) <= {{13, 25}}, ignored
assert "left" not in str(dict(os.environ)), "environment"
assert not os.path.exists("/dev/shm/left") and not os.path.exists("/tmp/left"), "left"
assert np.exp(0.0) == 1 and np.asarray is not np.array and not hasattr(np, "testing_"), "NumPy"
"""


@dataclass
class Attack:
    """A submission, and what its docstring says about it."""

    path: Path
    exercise: int
    expect: frozenset[str]
    seconds: float | None
    stop_after: int | None
    not_in: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        return self.path.stem.partition("_")[2]


def described(path: Path) -> Attack:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        told = json.loads(text)["cells"][0]["source"]
    else:
        told = ast.get_docstring(ast.parse(text)) or ""
    lines = dict(re.findall(r"^([a-z ]+): (.+)$", told, re.MULTILINE))
    return Attack(
        path,
        int(lines["exercise"]),
        frozenset(lines.get("expect", "failed error timeout crashed forbidden").split()),
        float(lines["seconds"]) if "seconds" in lines else None,
        int(lines["stop after"]) if "stop after" in lines else None,
        frozenset(lines.get("not in", "").split()),
    )


DESCRIBED = [described(path) for path in ATTACKS]


def cases() -> list[Any]:
    """Each attack in each confinement; those of one share a process, so that they share the worker."""
    made = []
    for sandbox in get_args(Sandbox):
        for attack in sorted(DESCRIBED, key=lambda it: it.exercise > 14):  # Keras is loaded when it must be
            if sandbox in attack.not_in or (sandbox == "limits" and attack.name not in IN_LIMITS):
                continue
            marks = [pytest.mark.xdist_group(f"attacks-{sandbox}")]
            marks += [pytest.mark.keras] if attack.exercise > 14 else []
            made.append(pytest.param(sandbox, attack, id=f"{sandbox}-{attack.path.stem}", marks=marks))
    return made


@pytest.fixture(scope="module")
def workers() -> Iterator[Callable[[str], Worker]]:
    """One warm worker for each confinement, the same for all attacks."""
    started: dict[str, Worker] = {}

    def worker(sandbox: str) -> Worker:
        if sandbox not in started:
            if sandbox not in candidates():
                pytest.skip(f"no {sandbox} here")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(CHOICE_VARIABLE, sandbox)
                started[sandbox] = Worker()
            started[sandbox].wait_ready()
            if started[sandbox].sandbox != sandbox:
                pytest.skip(f"{sandbox} does not start here")
        return started[sandbox]

    yield worker
    for item in started.values():
        item.stop()


def processes(worker: Worker) -> set[int]:
    """The worker's processes: the server itself, bubblewrap around it, sessions."""
    try:
        return {child.pid for child in psutil.Process(worker.process.popen.pid).children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def left_files(worker: Worker) -> list[str]:
    """What is in the folder of the worker's sessions, where it can be seen from here."""
    found: list[str] = []
    scratch = Path(worker.process.scratch)
    if worker.sandbox != "bubblewrap":
        return os.listdir(scratch)
    for pid in processes(worker):
        with contextlib.suppress(OSError):  # only the administrator may look
            found += [path.name for path in Path(f"/proc/{pid}/root/tmp").glob("session-*")]
    return found


def unharmed(verdict: Verdict, attack: Attack) -> None:
    assert not verdict.fault, verdict.fault
    assert not verdict.passed
    assert verdict.status == "failed"
    said = [(check.name, check.status, check.message[:300]) for check in verdict.checks]
    assert {check.status for check in verdict.checks} - {"passed"} <= attack.expect, said
    for check in verdict.checks:
        assert "BREACH" not in check.printed, check.printed[:2000]
        for text in (check.message, check.printed):
            assert all(unicodedata.category(c) not in ("Cc", "Cs") or c in "\n\t" for c in text), ascii(
                text[:500]
            )


def grade_next(worker: Worker, tmp_path: Path) -> None:
    """A right answer passes and a wrong one gets its name, as if nothing had been before them."""
    exercise = registry.load(1)
    path = tmp_path / "next.py"
    path.write_text(WITNESS, encoding="utf-8")
    verdict = judging.grade(exercise, path, worker, seed=2)
    assert verdict.passed, verdict.fault or [(check.status, check.message) for check in verdict.checks][:2]
    path.write_text(WRONG, encoding="utf-8")
    verdict = judging.grade(exercise, path, worker, seed=3, stop_after=1)
    assert not verdict.fault
    assert [check.misconception for check in verdict.checks if check.status != "passed"] == [
        "not-normalised"
    ]


@pytest.mark.parametrize(("sandbox", "attack"), cases())
def test_attack_achieves_nothing(
    sandbox: str,
    attack: Attack,
    workers: Callable[[str], Worker],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = workers(sandbox)
    exercise = registry.load(attack.exercise)
    if attack.seconds is not None:
        monkeypatch.setattr(exercise, "seconds", attack.seconds)
    worker.preload(exercise.kind)
    judge, before = psutil.Process(), processes(worker)
    descriptors, resident, threads = judge.num_fds(), judge.memory_info().rss, judge.num_threads()
    server = worker.process.popen.pid

    start = time.monotonic()
    verdict = judging.grade(exercise, attack.path, worker, seed=1, stop_after=attack.stop_after)
    assert time.monotonic() - start < 20 + 13 * exercise.seconds
    unharmed(verdict, attack)
    assert verdict.sandbox == sandbox
    del verdict

    gc.collect()
    assert worker.process.popen.pid == server, "the server was brought down"
    assert processes(worker) == before
    assert left_files(worker) == []
    assert judge.num_fds() == descriptors
    assert judge.num_threads() <= threads
    assert judge.memory_info().rss - resident < 150 * MEBIBYTE
    grade_next(worker, tmp_path)


@pytest.mark.keras
@pytest.mark.parametrize(
    "sandbox",
    [pytest.param(it, marks=pytest.mark.xdist_group(f"attacks-{it}")) for it in ("bubblewrap", "landlock")],
)
def test_right_layer_passes_after_all_attacks(sandbox: str, workers: Callable[[str], Worker]) -> None:
    exercise = registry.load(17)
    verdict = judging.grade(exercise, registry.solution_file(exercise.name), workers(sandbox), seed=1)
    assert verdict.passed, verdict.fault or [check.message for check in verdict.checks][:1]
    assert verdict.sandbox == sandbox


def test_there_are_attacks_of_every_kind() -> None:
    assert len(DESCRIBED) >= 45
    assert sum(attack.exercise > 14 for attack in DESCRIBED) >= 8
    assert any(attack.path.suffix == ".ipynb" for attack in DESCRIBED)
    assert set(IN_LIMITS) <= {attack.name for attack in DESCRIBED}


# Submissions too large, or too special, to be kept as files.


def _cells(*sources: str) -> bytes:
    made = [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


BODY = b"import numpy as np\ndef softmax(scores, axis=-1):\n    return scores\n"
MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "100 MB of source": (".py", lambda: BODY + b"#" * 100_000_000),
    "a source of 200 000 names": (".py", lambda: BODY + b"x = [" + b"a," * 120_000 + b"]\n"),
    "chains of attributes": (".py", lambda: BODY + b"\n".join(b"np" + b".a" * 900 for _ in range(140))),
    "nested brackets": (".py", lambda: BODY + b"(" * 100_000),
    "nested blocks": (
        ".py",
        lambda: BODY + b"".join(b" " * n + b"if 1:\n" for n in range(99)) + b" " * 99 + b"1",
    ),
    "minus signs": (".py", lambda: BODY + b"-" * 200_000 + b"1"),
    "minus signs in a cell": (".ipynb", lambda: _cells(BODY.decode() + "-" * 200_000 + "1")),
    "a number of 200 000 digits": (".py", lambda: BODY + b"x = " + b"9" * 200_000),
    "a tower of powers": (".py", lambda: BODY + b"x = 9**9**9**9**9\n"),
    "a huge constant": (".py", lambda: BODY + b"x = ((b'x' * 10**6) * 10**6) * 10**6\n"),
    "null bytes": (".py", lambda: BODY + b"\0" * 1000),
    "two byte order marks": (".py", lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + BODY),
    "UTF-16": (".py", lambda: BODY.decode().encode("utf-16")),
    "a codec of quadratic time": (
        ".py",
        lambda: b"# coding: punycode\n" + b"a" * 10**6 + b"-" + b"bcd9" * 10**6,
    ),
    "a codec that is no codec of text": (".py", lambda: b"# coding: zlib\n" + BODY),
    "a codec of another kind": (".py", lambda: b"# coding: unicode_escape\n" + BODY),
    "a warning that commands the terminal": (".py", lambda: BODY + b'x = "\\d \x1b]0;owned\x07"\n'),
    "an error that commands the terminal": (".py", lambda: BODY + b"x = = '\x1b]0;owned\x07\xc2\x9b2J'\n"),
    "100 000 cells": (".ipynb", lambda: _cells(*["x = 1"] * 100_000, BODY.decode())),
    "150 cells of 200 kB": (".ipynb", lambda: _cells(*["x = [" + "a," * 100_000 + "]"] * 150)),
    "a line of blanks": (".ipynb", lambda: _cells(BODY.decode(), "%%time\n" + " " * 10**6 + "x y softmax")),
    "magics in magics": (".ipynb", lambda: _cells("%%time\n" * 50_000 + BODY.decode())),
    "nested JSON": (".ipynb", lambda: b'{"cells": ' + b"[" * 10**6),
    "JSON of numbers": (".ipynb", lambda: b'{"cells": ' + b"9" * 10**6 + b"}"),
    "cells that are none": (
        ".ipynb",
        lambda: b'{"cells": [{"cell_type": "code", "source": [1, null, {}]}]}',
    ),
    "keys twice": (
        ".ipynb",
        lambda: (
            b'{"cells": [], "cells": [{"cell_type": "code", "source": "softmax = print", "source": "1"}]}'
        ),
    ),
    "nothing but blanks": (".py", lambda: b" \n" * 1000),
}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.mark.xdist_group("attacks-made")
@pytest.mark.parametrize("name", MADE)
def test_made_submission_is_refused_in_time(
    name: str,
    worker: Worker,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suffix, make = MADE[name]
    path = tmp_path / f"exercise_01{suffix}"
    path.write_bytes(make())
    judge = psutil.Process()
    worker.preload("numpy")
    monkeypatch.setattr(registry.load(1), "seconds", 2.0)
    resident = judge.memory_info().rss
    start = time.monotonic()
    verdict = judging.grade(registry.load(1), path, worker, seed=1)
    assert time.monotonic() - start < 15
    unharmed(verdict, Attack(path, 1, frozenset(["failed", "error", "crashed", "timeout"]), None, None))
    del verdict
    gc.collect()
    assert judge.memory_info().rss - resident < 250 * MEBIBYTE
    assert "\x1b" not in "".join(capfd.readouterr())


@pytest.mark.xdist_group("attacks-made")
@pytest.mark.parametrize(
    "kind", ["link to the solution", "link to a device", "pipe", "folder", "link to itself"]
)
def test_only_plain_files_are_read(kind: str, worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "exercise_01.py"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        targets = {"link to the solution": registry.solution_file("exercise_01"), "link to itself": path}
        path.symlink_to(targets.get(kind, Path("/dev/zero")))
    start = time.monotonic()
    verdict = judging.grade(registry.load(1), path, worker, seed=1)
    assert time.monotonic() - start < 2
    assert not verdict.fault
    assert verdict.status == "failed"
    assert "expected the file itself" in verdict.checks[0].message or "plain" in verdict.checks[0].message


@pytest.mark.xdist_group("attacks-made")
def test_a_name_commands_no_terminal(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "exercise_01\x1b]0;owned\x07.py"
    path.write_text("softmax = (", encoding="utf-8")
    verdict = judging.grade(registry.load(1), path, worker, seed=1)
    assert "exercise_01.py" in verdict.checks[0].message
    verdict = judging.grade(registry.load(1), tmp_path / "none\x1b[2J.py", worker, seed=1)
    assert "\x1b" not in verdict.fault


def test_plain_text_stays_as_it_is() -> None:
    text = "näive 注意力 ∑ ✓ \t tabs\nlines\n"
    assert plain(text) == text
    assert plain("a\r\nb\rc") == "a\nb\nc"
    assert (
        plain("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x9b2J\x90q\x9c\u202e!")
        == "red link !"
    )
    assert (
        plain("\x1b[" + ";" * 10**6) == ";" * 10**6 + "" or len(plain("\x1b[" + ";" * 10**6)) <= 10**6 + 2
    )


@pytest.mark.xdist_group("attacks-made")
def test_sessions_do_not_see_each_other(worker: Worker) -> None:
    """Two at once: neither sees the other's folder, namespaces, memory, nor ends it."""
    write = "open('secret', 'w').write('mine')\nimport os\nprint(os.getcwd(), os.getpid())"
    first = worker.fork(Limits())
    second = worker.fork(Limits())
    with contextlib.closing(first), contextlib.closing(second):
        assert first.request("load", {"parts": [["a.py", write]], "forbidden": []}).problem is None
        folder, pid = first.take_output().split()
        look = f"""
import os
for call in (lambda: open({folder!r} + "/secret").read(), lambda: os.kill({pid}, 9),
             lambda: open("/proc/{pid}/environ").read(), lambda: open("/proc/{pid}/maps").read(),
             lambda: open("/proc/{pid}/mem", "rb"), lambda: os.readlink("/proc/{pid}/cwd")):
    try:
        print("BREACH", call())
    except OSError:
        pass
"""
        if worker.sandbox == "limits":
            look = look.replace(f'lambda: open({folder!r} + "/secret").read(), ', "")
        assert second.request("load", {"parts": [["b.py", look]], "forbidden": []}).problem is None
        assert "BREACH" not in second.take_output()
        assert first.request("random_state", {}).problem is None


@pytest.mark.xdist_group("attacks-made")
@pytest.mark.skipif(sys.platform != "linux", reason="namespaces")
def test_a_session_has_no_capabilities(worker: Worker) -> None:
    code = "print(open('/proc/thread-self/status').read())"
    session = worker.fork(Limits())
    with contextlib.closing(session):
        if session.request("load", {"parts": [["a.py", code]], "forbidden": []}).problem is not None:
            pytest.skip("/proc cannot be read in this confinement")
        told = session.take_output()
    assert re.search(r"CapEff:\s+0+\n", told)
    assert re.search(r"CapPrm:\s+0+\n", told)
    assert re.search(r"Seccomp:\s+2\n", told)


def test_a_session_ends_with_its_judge(tmp_path: Path) -> None:
    """The judge is killed while a session works: nothing of it stays."""
    program = """
import sys
from grader.workers import Worker
from grader.sessions import Limits
worker = Worker()
session = worker.fork(Limits(seconds=60))
print(session._pid, flush=True)
code = "import ctypes; c = ctypes.CDLL(None); c.prctl(1, 0, 0, 0, 0); c.setfsuid(1)\\nwhile True: pass"
session.request("load", {"parts": [["a.py", code]], "forbidden": []})
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    judge = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment)
    assert judge.stdout is not None
    pid = int(judge.stdout.readline())
    time.sleep(0.3)
    judge.send_signal(signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


@pytest.mark.xdist_group("attacks-made")
def test_a_reply_before_the_question_was_sent_ends_the_session(worker: Worker) -> None:
    code = """
import os, threading, time
from dojo_worker import wire
frame = wire.encode_reply(wire.Reply(value="mine"))
def reply():
    time.sleep(0.1)
    os.write(fd, frame)
import gc
from dojo_worker import session
fd = next(it for it in gc.get_objects() if isinstance(it, session.Session)).channel.fileno()
session.Session._receive = lambda self: time.sleep(5)
threading.Thread(target=reply).start()
"""
    import numpy as np

    session = worker.fork(Limits(seconds=3))
    with contextlib.closing(session):
        assert session.request("load", {"parts": [["a.py", code]], "forbidden": []}).problem is None
        with pytest.raises(SessionEnded, match="channel"):
            session.request("call", {"name": "x", "args": [np.zeros(2**20)], "kwargs": {}})
