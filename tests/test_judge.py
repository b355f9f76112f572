"""The judge: what it imports, what the wire takes, how it compares and diagnoses."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, solution

from grader import registry
from grader.comparison import compare, tolerance_for
from grader.worker import wire

TOLERANCE = tolerance_for("float64", 8)


def test_the_judge_imports_neither_keras_nor_pickle() -> None:
    code = """
import sys
from pathlib import Path
from grader import judging, registry
from grader.workers import Worker
exercise = registry.load(23)
with Worker() as worker:
    assert judging.grade(exercise, registry.solution_file(exercise.name), worker).passed
wanted = {"keras", "tensorflow", "jax", "torch", "cloudpickle", "IPython", "matplotlib"}
print(*sorted(wanted & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # NumPy itself imports pickle; the next test shows that nothing of ours does.
    assert done.stdout.strip() == ""


def test_nothing_of_ours_names_pickle_or_executes_code_but_the_session() -> None:
    executing = []
    for path in (ROOT / "grader").rglob("*.py"):
        text = path.read_text()
        assert "import pickle" not in text
        if "exec(" in text or "eval(" in text:
            executing.append(path.relative_to(ROOT).as_posix())
    assert sorted(executing) == ["grader/worker/session.py"]


def test_imports_point_one_way() -> None:
    """The worker imports nothing of the rest; the vocabulary nothing of the judging; no cycles."""
    imports = {}
    for path in (ROOT / "grader").rglob("*.py"):
        lines = path.read_text().splitlines()
        # Imports at the top level; those in functions are there to be late.
        imports[path.relative_to(ROOT).as_posix()] = [
            line
            for line in lines
            if line.startswith(("import grader", "from grader", "from .", "import ."))
        ]
    worker = {name: lines for name, lines in imports.items() if name.startswith("grader/worker/")}
    assert worker
    assert not [line for lines in worker.values() for line in lines if "grader" in line]
    order = [
        "cli",
        "notebook",
        "terminal",
        "proofs",
        "judging",
        "layers",
        "submission",
        "diagnosis",
        "comparison",
        "exercise",
    ]
    for position, name in enumerate(order):
        for above in order[:position]:
            joined = "\n".join(imports[f"grader/{name}.py"])
            assert f"grader.{above} " not in joined, f"{name} imports {above}"


VALUES = [
    None,
    True,
    3,
    -(2**62),
    2.5,
    "text ☃",
    [1, [2.0, None]],
    {"a": np.arange(3)},
    np.float32(2),
    np.zeros((0, 3)),
    np.array(5, dtype=np.int8),
    np.ones((2, 3), bool),
    np.array([1 + 2j]),
    np.arange(6, dtype=">f8").reshape(2, 3)[:, ::-1],
    wire.Handle(3),
    wire.Opaque("a.b", "c"),
    [wire.Generator(3, 1), wire.Callback(2)],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_the_wire(value) -> None:
    frame = wire.encode_request("op", {"value": value})
    (length,) = wire.LENGTH.unpack(frame[:4])
    assert length == len(frame) - 4
    received = wire.decode_request(frame[4:]).payload["value"]
    if isinstance(value, np.ndarray | np.generic):
        assert received.dtype == np.asarray(value).dtype.newbyteorder("=")
        np.testing.assert_array_equal(received, value)
        assert received.flags.writeable
    elif isinstance(value, dict):
        np.testing.assert_array_equal(received["a"], value["a"])
    else:
        assert received == value


@pytest.mark.parametrize("value", [object(), np.array([object()]), 2**70, 1j])
def test_other_values_do_not_travel(value) -> None:
    with pytest.raises((wire.WireError, OverflowError, TypeError, NotImplementedError)):
        wire.encode_request("op", {"value": value})


def test_hostile_bytes_only_raise_wire_errors() -> None:
    """Random damage to real replies, and random bytes: a reply or a WireError, nothing else."""
    draw = random.Random(5)
    good = wire.encode_reply(wire.Reply(value=[np.ones((2, 3)), {"a": wire.Handle(1)}, "x"]))[4:]
    for _ in range(20_000):
        data = bytearray(good)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        data = data[: draw.randint(0, len(data))] if draw.random() < 0.3 else data
        if draw.random() < 0.2:
            data = bytearray(draw.randbytes(draw.randint(0, 60)))
        try:
            reply = wire.decode_reply(data)
        except wire.WireError:
            continue
        assert isinstance(reply, wire.Reply)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc7\xff\x01" + b"\0" * 255,
        b"\x91" * 5000,
        wire.encode_request("op", {"a": 1})[4:],
        b"",
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_odd_frames_are_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_reply(body)


@pytest.mark.parametrize(
    ("expected", "received", "kind"),
    [
        (np.ones(3), np.ones(3), None),
        (np.ones(3), np.ones(3) + 1e-12, None),
        (np.ones(3), np.ones(3) + 1e-3, "value"),
        (np.ones(3), np.array([1, np.nan, 1]), "nan"),
        (np.array([1, np.nan]), np.array([1, np.nan]), "nan"),
        (np.array([1, np.inf]), np.array([1, np.inf]), None),
        (np.ones(3), np.ones((3, 1)), "shape"),
        (np.ones(3), np.ones(3, np.float32), "dtype"),
        (np.ones(3), [1.0, 1.0, 1.0], "type"),
        (np.ones(3), None, "type"),
        (np.ones(3), wire.Opaque("a"), "type"),
        (np.ones(3), np.ones(3, complex), "dtype"),
        ((np.ones(1), np.ones(2)), [np.ones(1), np.ones(2)], None),
        ((np.ones(1), np.ones(2)), np.ones(2), "type"),
        ({"a": np.ones(1)}, {"b": np.ones(1)}, "type"),
        (np.arange(3), np.arange(3, dtype=np.int32), None),
        (np.arange(3), np.arange(3.0), "dtype"),
        (np.arange(3), np.array([0, 1, 3]), "value"),
        (np.array([True]), np.array([1]), "dtype"),
        (None, None, None),
        (None, np.ones(1), "type"),
    ],
)
def test_comparison(expected, received, kind: str | None) -> None:
    difference = compare(expected, received, dtype="float64", allowed=TOLERANCE)
    assert (difference.kind if difference else None) == kind


def told(grade_text, code: str) -> str:
    """The first failing check's message for a softmax."""
    verdict = grade_text(1, f"import numpy as np\ndef softmax(scores, axis=-1):\n    {code}\n")
    return next(check.message for check in verdict.checks if check.status != "passed")


SOFTMAX = "e = np.exp(scores - scores.max(axis, keepdims=True)); s = e / e.sum(axis, keepdims=True); "


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return scores.tolist()", "expected an array of shape (3,); received 3 values"),
        ("return None", "received None"),
        ("return scores[None]", "Only axes of length 1 differ"),
        ("return np.full(scores.shape, np.nan)", "Every number is NaN"),
        (SOFTMAX + "return 3 * s", "Every number is 3 times what it should be"),
        (SOFTMAX + "return s + 0.5", "off by the same 0.5"),
        (SOFTMAX + "return s.astype(complex)", "expected floating-point numbers"),
        (SOFTMAX + "return -s", "The sign is reversed"),
        ("return undefined", "NameError"),
    ],
)
def test_general_diagnosis(code: str, message: str, grade_text) -> None:
    assert message in told(grade_text, code)


def test_an_exception_shows_the_learners_lines_only(grade_text) -> None:
    text = "import numpy as np\n\ndef helper(x):\n    return np.linalg.inv(x)\n\n"
    text += "def softmax(scores, axis=-1):\n    return helper(np.zeros((2, 2)))\n"
    message = grade_text(1, text).checks[0].message
    assert "LinAlgError: Singular matrix" in message
    assert "exercise_01.py, line 4, in helper" in message
    assert "exercise_01.py, line 7, in softmax" in message
    assert "linalg.py" not in message
    assert "session.py" not in message


def test_the_smallest_failing_input_is_printed(grade_text) -> None:
    message = told(grade_text, "return scores")
    assert "The call: softmax(" in message
    assert "Expected:" in message
    assert "Received:" in message
    assert "tolerance" in message


def test_a_check_of_ours_that_breaks_is_no_failure_of_theirs(worker, tmp_path, monkeypatch) -> None:
    from grader import judging
    from grader.exercise import Check

    exercise = registry.load(1)
    broken = Check("broken", lambda submission, rng: 1 / 0)
    monkeypatch.setattr(exercise, "checks", [*exercise.checks[:1], broken])
    path = tmp_path / "exercise_01.py"
    path.write_text(solution(exercise))
    verdict = judging.grade(exercise, path, worker)
    assert verdict.status == "error"
    assert verdict.exit_code == 3
    assert "ZeroDivisionError" in verdict.fault
    assert judging.grade(registry.load(3), registry.solution_file("exercise_03"), worker).passed
