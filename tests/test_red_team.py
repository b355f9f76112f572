"""What the red team tried: each case states a property that no submission may break."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import solution

from grader import judging, registry, sources
from grader.forbidden import find_uses
from grader.verdict import Verdict
from grader.workers import Worker

Grade = Callable[..., Verdict]
RIGHT = solution(registry.load(1))
DEFINITION = RIGHT[RIGHT.index("def softmax") :]
IMPORT = "import numpy as np\n"


def body(code: str) -> str:
    lines = "\n    ".join(code.strip().splitlines())
    return f"import os, sys\nimport numpy as np\n\ndef softmax(scores, axis=-1):\n    {lines}\n"


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def own_worker() -> Iterator[Worker]:
    """A worker that a case may damage."""
    with Worker() as started:
        yield started


# Submissions that must be the learner's failure: never the grader's fault, never an exception.
FAULTS = {
    "dies of a real-time signal": body("os.kill(os.getpid(), 40)"),
    "a codec that raises UnicodeError": "# coding: undefined\n" + RIGHT,
    "a deep attribute chain": RIGHT + "\nif 0:\n    np" + ".a" * 1500 + "\n",
    "a deep expression in a helper": RIGHT + "\ndef helper():\n    return " + "+".join(["1"] * 1200) + "\n",
}


@pytest.mark.parametrize("name", FAULTS)
def test_submission_is_never_the_graders_fault(name: str, grade_text: Grade) -> None:
    verdict = grade_text(1, FAULTS[name])
    assert not verdict.fault
    assert verdict.status in ("passed", "failed")


def test_file_name_that_is_not_text(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "x\udcff.py"
    path.write_text(RIGHT, encoding="utf-8")
    assert judging.grade(registry.load(1), path, worker, seed=1).passed


# What a submission must not be able to do to the next one that the same worker grades.
AFTEREFFECTS = {
    "kills the worker by a signal on input": """
        import fcntl, socket, time
        a, b = socket.socketpair()
        fcntl.fcntl(a, fcntl.F_SETOWN, os.getppid())
        fcntl.fcntl(a, 10, 9)  # F_SETSIG
        fcntl.fcntl(a, fcntl.F_SETFL, fcntl.fcntl(a, fcntl.F_GETFL) | os.O_ASYNC)
        b.send(b"x")
        time.sleep(0.2)""",
    "locks the scratch folder": "os.chmod(os.environ['HOME'], 0)",
    "slows the worker down": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "leaves a Keras configuration": """
        os.makedirs(os.environ["KERAS_HOME"], exist_ok=True)
        open(os.environ["KERAS_HOME"] + "/keras.json", "w").write('{"floatx": "float16"}')""",
}
# Right, and raises when the worker is not as it was.
WITNESS = RIGHT + (
    "\nimport os\nassert os.getpriority(os.PRIO_PROCESS, 0) == 0, 'slowed down'\n"
    "assert not os.path.exists(os.environ['KERAS_HOME']), 'left behind'\n"
)


@pytest.mark.parametrize("name", AFTEREFFECTS)
def test_next_submission_is_graded_as_if_alone(name: str, grade_text: Grade, own_worker: Worker) -> None:
    lines = AFTEREFFECTS[name].strip().replace("\n        ", "\n")
    assert not grade_text(1, body(f"{lines}\nreturn scores"), using=own_worker).passed
    after = grade_text(1, WITNESS, using=own_worker)
    assert after.passed, after.fault or after.checks[0].message


def test_static_analysis_does_not_grow_quadratically() -> None:
    """A chain of aliases: 4 MiB of it took over 100 GB."""
    lines = [f"b{number + 1} = b{number}.xxxxxxxxxx" for number in range(1000)]
    part = sources.parse("x.py", "\n".join(["import numpy as b0", *lines]))
    uses = find_uses("x.py", part.tree, ["*"])
    assert sum(len(use.name) for use in uses) < 1_000_000


# Right answers, written in ways of their own.
STUB = sources.stub_text(registry.solution_file("exercise_01"))
FAIR = {
    "the stub stays, an assignment replaces it": (
        ".py",
        STUB + RIGHT.replace("def softmax", "def _mine") + "\nsoftmax = _mine\n",
    ),
    "a notebook rebinds the name by a decorator": (
        ".ipynb",
        notebook(IMPORT, DEFINITION, "softmax = np.errstate(all='ignore')(softmax)"),
    ),
    "a notebook imports in a try": (
        ".ipynb",
        notebook("try:\n    import numpy as np\nexcept ImportError:\n    raise", DEFINITION),
    ),
    "a notebook asks for help": (".ipynb", notebook(IMPORT, DEFINITION, "softmax?")),
}


@pytest.mark.parametrize("name", FAIR)
def test_right_answer_passes(name: str, grade_text: Grade) -> None:
    suffix, text = FAIR[name]
    verdict = grade_text(1, text, suffix=suffix)
    assert verdict.passed, [verdict.status, *(check.message for check in verdict.checks[:1])]
