"""Submissions as text: files, notebooks, garbage, forbidden names."""

from __future__ import annotations

import json

import pytest
from conftest import solution

from grader import registry, sources
from grader.forbidden import find_uses

RIGHT = solution(registry.load(1))
WRONG = "def softmax(scores, axis=-1):\n    return scores\n"


def notebook(*cells: str, kind: str = "code") -> str:
    made = [{"cell_type": kind, "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n\t\n", "is empty"),
        (b"def softmax(:\n", "SyntaxError"),
        (b"def softmax(scores):\n\treturn 1\n        return 2\n", "TabError"),
        (b"x = 1\n", "does not define `softmax`"),
        (b"# caf\xe9\ndef softmax(s): return s\n", "UTF-8"),
        ("def softmax(s): return s".encode("utf-16"), "UTF-16"),
        (b"def softmax(s): return s\0\n", "null bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "UTF-8"),
        (b"# coding: no-such-codec\ndef softmax(s): return s\n", "UTF-8"),
        (b"x = " + b"(" * 5000 + b")" * 5000, ""),
        (b"#" * (5 * 1024 * 1024), "64 KiB of code"),
    ],
)
def test_garbage_gets_a_clear_message(data: bytes, message: str, grade_text) -> None:
    verdict = grade_text(1, data)
    assert not verdict.fault
    assert verdict.exit_code == 1
    (check,) = verdict.checks
    assert check.status == "error"
    assert message in check.message
    assert "Traceback" not in check.message


def test_latin_1_with_its_declaration_is_read(grade_text) -> None:
    assert grade_text(1, b"# coding: latin-1\n# caf\xe9\n" + RIGHT.encode()).passed


def test_windows_line_ends_and_a_byte_order_mark_are_read(grade_text) -> None:
    assert grade_text(1, b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode()).passed


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cells": 3}', '{"cells": [{}]}', '{"cells": [[]]}', "null", ""]
)
def test_broken_notebooks_get_a_clear_message(text: str, grade_text) -> None:
    verdict = grade_text(1, text, suffix=".ipynb")
    (check,) = verdict.checks
    assert check.status == "error"
    assert "notebook" in check.message or "empty" in check.message


def test_marked_cells_are_taken_from_a_notebook(grade_text) -> None:
    text = notebook(
        WRONG,
        "%%exercise exercise_01 --try\n" + WRONG,
        "%%exercise exercise_01\n" + RIGHT,
        "%%exercise exercise_03\n1/0",
        "!rm -rf x\n1/0",
    )
    assert grade_text(1, text, suffix=".ipynb").passed


def test_line_numbers_are_those_of_the_cell(grade_text) -> None:
    text = notebook("# text", "%%exercise exercise_01\ndef softmax(scores, axis=-1):\n    return 1 / 0\n")
    message = grade_text(1, text, suffix=".ipynb").checks[0].message
    assert "exercise_01.ipynb cell 2, line 3, in softmax" in message


def test_unmarked_notebook_gives_what_the_functions_need(grade_text) -> None:
    text = notebook(
        "%matplotlib inline\nimport numpy as np\nimport no_such_package",
        "EMPTY = 0\nprint('never run')\nraise SystemExit",
        "def top(x, axis):\n    return np.where(np.isneginf(x.max(axis, keepdims=True)), EMPTY, "
        "x.max(axis, keepdims=True))",
        "broken (",
        "def softmax(scores, axis=-1):\n    return None",
        "def softmax(scores, axis=-1):\n    if scores.dtype.kind != 'f': scores = scores.astype(float)\n"
        "    e = np.exp(scores - top(scores, axis)); t = e.sum(axis, keepdims=True)\n"
        "    return e / np.where(t == 0, 1, t)",
        "softmax('boom')",
    )
    verdict = grade_text(1, text, suffix=".ipynb")
    assert verdict.passed, verdict.checks[0].message


def test_markdown_cells_are_no_code(grade_text) -> None:
    verdict = grade_text(1, notebook(RIGHT, kind="markdown"), suffix=".ipynb")
    assert "does not define" in verdict.checks[0].message


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text,
        lambda text: "# my notes\n\n" + text,
        lambda text: text + "\n\nprint('x')\n",
        lambda text: text.replace("    raise", "    # to do\n    raise"),
    ],
)
def test_untouched_stubs_are_not_started(edit, grade_text) -> None:
    stub = sources.stub_text(registry.solution_file("exercise_01"))
    assert grade_text(1, edit(stub)).status == "not_started"


FORBIDDEN = ["keras.layers.MultiHeadAttention", "keras.ops.dot_product_attention", "tensorflow*"]


@pytest.mark.parametrize(
    "code",
    [
        "import keras\nkeras.layers.MultiHeadAttention(2, 3)",
        "from keras import layers\nlayers.MultiHeadAttention(2, 3)",
        "from keras import layers as l\nclass A(l.MultiHeadAttention): pass",
        "from keras.layers import MultiHeadAttention as M\nM(2, 3)",
        "import keras.layers as kl\nx = kl.MultiHeadAttention",
        "import keras\nops = keras.ops\nops.dot_product_attention",
        "import keras\ngetattr(keras.layers, 'MultiHeadAttention')",
        "import tensorflow as tf\ntf.keras.layers.MultiHeadAttention",
        "def f():\n    from tensorflow.keras import layers\n",
    ],
)
def test_forbidden_names_are_found(code: str) -> None:
    import ast

    uses = find_uses("a.py", ast.parse(code), FORBIDDEN)
    assert uses
    assert all(use.line >= 1 for use in uses)


@pytest.mark.parametrize(
    "code",
    [
        "class MultiHeadAttention: pass\nMultiHeadAttention()",
        "# keras.layers.MultiHeadAttention",
        "'keras.layers.MultiHeadAttention'",
        "import keras\nkeras.layers.Dense(3)",
        "def f(MultiHeadAttention): return MultiHeadAttention",
    ],
)
def test_other_names_are_not(code: str) -> None:
    import ast

    assert not find_uses("a.py", ast.parse(code), FORBIDDEN)


def test_forbidden_is_told_with_its_line(grade_text) -> None:
    verdict = grade_text(1, "import numpy as np\nfrom scipy.special import softmax\n")
    (check,) = verdict.checks
    assert check.status == "forbidden"
    assert "exercise_01.py, line 2: scipy" in check.message
