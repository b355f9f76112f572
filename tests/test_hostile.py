"""Broken and hostile submissions: a true verdict that is not "passed", in bounded time, the judge alive."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import ROOT, solution

from grader import registry
from grader.confinement import CHOICE_VARIABLE, candidates, landlock_version
from grader.sessions import Limits, SessionEnded
from grader.verdict import Verdict
from grader.workers import Worker

Grade = Callable[..., Verdict]
RIGHT = solution(registry.load(1))


def body(code: str) -> str:
    lines = "\n    ".join(code.strip().splitlines())
    return f"import os, sys\nimport numpy as np\n\ndef softmax(scores, axis=-1):\n    {lines}\n"


# code, the statuses of checks that are a true account of it
ATTACKS = {
    "infinite loop": (body("while True: pass"), {"timeout"}),
    "os._exit": (body("os._exit(0)"), {"crashed"}),
    "sys.exit": (body("sys.exit()"), {"error"}),
    "endless recursion": (body("return softmax(scores)"), {"error"}),
    "native stack overflow": (
        body(
            "sys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())"
        ),
        {"crashed", "error"},
    ),
    "10 GB": (body("return np.ones(10 * 2**30 // 8)"), {"error", "crashed"}),
    "10 GB bit by bit": (
        body("kept = []\nwhile True: kept.append(bytearray(2**24))"),
        {"error", "crashed", "timeout"},
    ),
    "100 MB of prints": (body("print('x' * 10**8)\nreturn scores"), {"failed"}),
    "fork bomb": (body("while True: os.fork()"), {"error"}),
    "fork bomb by threads": (
        body(
            "import threading, time\n"
            "while True: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
        ),
        {"error", "timeout", "crashed"},
    ),
    "a subprocess": (body("import subprocess\nsubprocess.run(['/bin/true'])"), {"error"}),
    "deletes the working folder": (
        body("import shutil\nshutil.rmtree('.', ignore_errors=True)\nos.chdir('/')\nreturn scores"),
        {"failed", "timeout"},
    ),
    "patched allclose": (
        "import numpy as np\nnp.allclose = np.array_equal = np.isclose = lambda *a, **k: True\n"
        "np.abs = lambda x: np.zeros(1)\n" + body("return scores * 0 + 0.25"),
        {"failed"},
    ),
    "equal to everything": (
        body(
            "class Yes(np.ndarray):\n    def __eq__(self, other): return True\n"
            "    def __array_ufunc__(self, *a, **k): return np.True_\n"
            "    def __array_function__(self, *a, **k): return True\n"
            "return np.zeros(scores.shape, scores.dtype).view(Yes)"
        ),
        {"failed"},
    ),
    "an object with __array__": (
        body("class Yes:\n    def __array__(self, *a, **k): return scores\nreturn Yes()"),
        {"failed"},
    ),
    "closes every descriptor": (body("os.closerange(0, 1024)\nreturn scores"), {"crashed"}),
    "writes to every descriptor": (
        body(
            "for fd in range(64):\n    try: os.write(fd, b'\\0\\0\\0\\5hello' * 99)\n"
            "    except OSError: pass\nreturn scores"
        ),
        {"crashed"},
    ),
    "announces a huge reply": (
        body(
            "import socket\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\xff' * 8)\n"
            "    except OSError: pass\nimport time\ntime.sleep(99)"
        ),
        {"crashed"},
    ),
    "half a reply, then silence": (
        body(
            "for fd in range(3, 64):\n    try: os.write(fd, b'\\0\\0\\1\\0half')\n"
            "    except OSError: pass\nimport time\ntime.sleep(99)"
        ),
        {"timeout"},
    ),
    "kills its parent and everything": (
        body("import signal\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)\nreturn scores"),
        {"error"},
    ),
    "a signal to itself": (body("os.kill(os.getpid(), 11)"), {"crashed"}),
    "a segmentation fault": (body("import ctypes\nctypes.string_at(0)"), {"crashed"}),
    "NaN everywhere": (body("return scores * np.nan"), {"failed"}),
    "an array of objects": (body("return np.array([object()])"), {"failed"}),
    "a structured array": (body("return np.zeros(3, dtype=[('a', 'f8')])"), {"failed"}),
    "a long double": (body("return scores.astype(np.longdouble)"), {"failed"}),
    "a huge string": (body("return 'x' * 10**8"), {"failed"}),
    "a huge array": (body("return np.zeros(10**8)"), {"failed", "error"}),
    "a deep list": (body("kept = []\nfor _ in range(10**5): kept = [kept]\nreturn kept"), {"failed"}),
    "a generator": (body("return (s for s in scores)"), {"failed"}),
    "nothing": (body("pass"), {"failed"}),
    "an exception that cannot be printed": (
        body("class E(Exception):\n    def __str__(self): raise E()\nraise E()"),
        {"error"},
    ),
    "an exception with a huge message": (body("raise ValueError('x' * 10**8)"), {"error"}),
    "an exit from a thread at the end": (
        "import atexit, os\natexit.register(os._exit, 0)\n" + body("return scores"),
        {"failed"},
    ),
}


def assert_rejected(verdict: Verdict, allowed: set[str]) -> None:
    assert not verdict.fault
    assert verdict.status == "failed"
    statuses = {check.status for check in verdict.checks if check.status != "passed"}
    assert statuses
    assert statuses <= allowed, [(check.status, check.message[:200]) for check in verdict.checks]


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_gets_a_true_verdict(name: str, grade_text: Grade) -> None:
    text, allowed = ATTACKS[name]
    start = time.monotonic()
    assert_rejected(grade_text(1, text), allowed)
    assert time.monotonic() - start < 40
    assert grade_text(1, RIGHT).passed, "the judge and its worker grade on"


@pytest.fixture(scope="module", params=["landlock", "limits"])
def weaker_worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    if request.param == "landlock" and not landlock_version():
        pytest.skip("this kernel has no Landlock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CHOICE_VARIABLE, request.param)
        started = Worker()
    with started:
        yield started


WITHOUT_BUBBLEWRAP = ["os._exit", "fork bomb", "kills its parent and everything", "10 GB", "a subprocess"]


@pytest.mark.parametrize("name", WITHOUT_BUBBLEWRAP)
def test_attack_without_bubblewrap(name: str, grade_text: Grade, weaker_worker: Worker) -> None:
    text, allowed = ATTACKS[name]
    verdict = grade_text(1, text, using=weaker_worker)
    assert verdict.sandbox == weaker_worker.sandbox
    assert_rejected(verdict, allowed)
    assert grade_text(1, RIGHT, using=weaker_worker).passed


SECRETS = [
    "solutions/exercise_01.py",
    "grader/suites/exercise_01.py",
    "tests/conftest.py",
    "pyproject.toml",
]


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("secret", SECRETS)
def test_project_cannot_be_read(
    secret: str, sandbox: str, grade_text: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sandbox not in candidates():
        pytest.skip(f"no {sandbox} here")
    monkeypatch.setenv(CHOICE_VARIABLE, sandbox)
    path = ROOT / secret
    assert path.is_file()
    with Worker() as worker:
        verdict = grade_text(1, body(f"print(open({str(path)!r}).read())\nreturn scores"), using=worker)
    assert verdict.sandbox == sandbox
    assert_rejected(verdict, {"error"})
    assert all("Error" in check.message and not check.printed for check in verdict.checks)


def test_solution_cannot_be_imported(grade_text: Grade) -> None:
    for module in ("solutions.exercise_01", "grader.reference"):
        code = f"sys.path.insert(0, {str(ROOT)!r})\nfrom {module} import softmax as s\nreturn s(scores)"
        assert_rejected(grade_text(1, body(code)), {"error"})


def test_no_expected_value_in_reach(grade_text: Grade) -> None:
    """Frames, the garbage collector's objects and modules hold nothing of the judge."""
    code = """
import gc
frame, names = sys._getframe(), set()
while frame is not None:
    names |= set(frame.f_locals) | {frame.f_code.co_filename}
    frame = frame.f_back
names |= set(sys.modules) | {str(type(o)) for o in gc.get_objects()}
found = [n for n in names if any(w in n for w in ("oracle", "suite", "expected", "judging", "reference"))]
print("found", [n for n in found if "unittest" not in n and "numpy" not in n])
return scores
"""
    verdict = grade_text(1, body(code))
    assert_rejected(verdict, {"failed"})
    assert all("found []" in check.printed for check in verdict.checks)


def test_environment_holds_no_secrets(grade_text: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_TOKEN", "hunter2")
    with Worker() as worker:
        verdict = grade_text(1, body("print(dict(os.environ))\nreturn scores"), using=worker)
    assert all("hunter2" not in check.printed for check in verdict.checks)


def test_network_is_unreachable(grade_text: Grade) -> None:
    code = "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\nreturn scores"
    verdict = grade_text(1, body(code))
    assert_rejected(verdict, {"error"})
    assert "PermissionError" in verdict.checks[0].message


def test_one_submission_leaves_nothing_for_the_next(grade_text: Grade) -> None:
    leave = body(
        "np.exp = None\nopen('/tmp/left', 'w').write('x')\nos.environ['LEFT'] = '1'\nreturn scores"
    )
    grade_text(1, leave)
    assert grade_text(1, RIGHT).passed
    found = grade_text(1, body("print('LEFT' in os.environ, np.exp)\nreturn scores"))
    assert "False <ufunc" in found.checks[0].printed


def test_prints_are_kept_and_cut(grade_text: Grade) -> None:
    verdict = grade_text(1, body("print('before ' * 3)\nprint('y' * 10**6)\nreturn scores"))
    printed = verdict.checks[0].printed
    assert printed.startswith("before before before")
    assert len(printed) < 66_000
    assert "output cut after 64 KiB" in printed


def test_a_crash_in_one_check_leaves_the_others(grade_text: Grade) -> None:
    text = RIGHT.replace(
        "scores = np.asarray(scores)\n",
        ("scores = np.asarray(scores)\n    if scores.ndim == 4:\n        import os\n        os._exit(3)\n"),
    )
    verdict = grade_text(1, text)
    statuses = [check.status for check in verdict.checks]
    assert statuses.count("crashed") == 1
    assert statuses.count("passed") == len(statuses) - 1
    crashed = next(check for check in verdict.checks if check.status == "crashed")
    assert "exit code 3" in crashed.message


def test_a_loop_in_one_check_leaves_the_others(grade_text: Grade) -> None:
    text = RIGHT.replace(
        "scores = np.asarray(scores)\n", ("scores = np.asarray(scores)\n    while scores.ndim == 4: pass\n")
    )
    verdict = grade_text(1, text)
    statuses = [check.status for check in verdict.checks]
    assert statuses.count("timeout") == 1
    assert statuses.count("passed") == len(statuses) - 1


@pytest.mark.keras
def test_keras_submission_crashes_and_is_graded_on(grade_text: Grade) -> None:
    right = solution(registry.load(23))
    text = right.replace(
        "key = value if key is None else key",
        ("import os\n        if use_causal_mask: os._exit(1)\n        key = value if key is None else key"),
    )
    verdict = grade_text(23, text)
    statuses = {check.name: check.status for check in verdict.checks}
    assert statuses["use_causal_mask"] == "crashed"
    assert statuses["self-attention with two heads"] == "passed"
    assert statuses["d_model must be divisible by num_heads"] == "passed"


@pytest.mark.keras
def test_keras_own_layer_is_forbidden_even_in_disguise(grade_text: Grade) -> None:
    text = """
import keras
import importlib

class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        made = getattr(importlib.import_module("keras.lay" + "ers"), "Multi" + "HeadAttention")
        self.inner = made(num_heads, d_model // num_heads)

    def call(self, query, value, **kwargs):
        return self.inner(query, value, **kwargs)
"""
    verdict = grade_text(23, text)
    assert not verdict.passed
    assert "forbidden" in {check.status for check in verdict.checks}


def test_processor_time_is_limited_and_said(worker: Worker) -> None:
    session = worker.fork(Limits(seconds=20, cpu_seconds=1))
    with contextlib.closing(session), pytest.raises(SessionEnded, match="processor time"):
        session.request("load", {"parts": [["loop.py", "while True: pass"]], "forbidden": []})
