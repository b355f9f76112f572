"""Every interview question is complete, and its evidence runs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.questions import FOLDER, Question, load_questions, parse_question

QUESTIONS = load_questions()
IDS = [f"{question.number:02d}" for question in QUESTIONS]
TOPICS = {
    "Basics",
    "Kinds of attention",
    "Models",
    "Cost and scale",
    "Applications",
    "Practice",
}

GOOD = """+++
number = 7
topic = "Basics"
title = "Why?"
title_zh = "为什么？"
asked_in = ["000 2.1"]
sources = ["Somebody 2020, A Paper"]
+++

## Short answer

Because.

## Follow-ups

- **And then?** Then this.

## Often heard, and wrong

> "No."

It is not so.

## Evidence

Look:

```python
## Short answer
assert 1 + 1 == 2
```

And again:

```python
print("hello")
```
"""


def code_of(question: Question) -> list[str]:
    return [text for kind, text in question.evidence_parts() if kind == "code"]


def test_a_good_file_is_read() -> None:
    question = parse_question(GOOD, "07_why.md")
    assert question.number == 7
    assert question.title_zh == "为什么？"
    assert question.asked_in == ("000 2.1",)
    assert question.short_answer == "Because."
    assert question.follow_ups == "- **And then?** Then this."
    assert question.wrong_answer == '> "No."\n\nIt is not so.'
    assert question.evidence_parts() == (
        ("markdown", "Look:"),
        ("code", "## Short answer\nassert 1 + 1 == 2"),  # no heading inside a fence
        ("markdown", "And again:"),
        ("code", 'print("hello")'),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("+++\nnumber", "number", "front matter between"),
        ("number = 7", "number = seven", "not TOML"),
        ("number = 7\n", "", "'number' is missing"),
        ("number = 7", 'number = "7"', "'number' should be a int"),
        ("number = 7", "number = true", "'number' should be a int"),
        ("number = 7", "number = 8", "should begin with 08_"),
        ('title_zh = "为什么？"\n', "", "'title_zh' is missing"),
        ('title_zh = "为什么？"', 'title_zh = ""', "not empty"),
        ('["000 2.1"]', "[]", "'asked_in' should be"),
        ('["000 2.1"]', "[2]", "list of strings"),
        ("number = 7", "number = 7\ncolour = 1", "unknown key 'colour'"),
        ("## Follow-ups\n", "", "'Follow-ups' is missing or empty"),
        ("Because.", "", "'Short answer' is missing or empty"),
        ("## Follow-ups", "## Followups", "unknown section 'Followups'"),
        ("## Follow-ups", "## Short answer", "repeated section"),
        ("+++\n\n## Short", "+++\n\nHello\n## Short", "before the first section"),
        ('print("hello")\n```\n', 'print("hello")\n', "not closed"),
        ("```python", "```text", "no closed ```python cell"),
    ],
)
def test_a_bad_file_is_named(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ValueError, match=r"07_why\.md") as caught:
        parse_question(GOOD.replace(old, new), "07_why.md")
    assert message in str(caught.value)


def test_two_files_with_one_number(tmp_path: Path) -> None:
    for name in ("07_a.md", "07_b.md"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(ValueError, match=r"07_b\.md: number 7 is taken by 07_a\.md"):
        load_questions(tmp_path)


def test_sorted_by_number(tmp_path: Path) -> None:
    assert [question.number for question in QUESTIONS] == sorted(q.number for q in QUESTIONS)
    assert load_questions(tmp_path) == ()


def test_loading_imports_only_the_standard_library() -> None:
    program = (
        "import sys; from grader.questions import load_questions; load_questions()\n"
        "heavy = {'numpy', 'matplotlib', 'keras', 'rich', 'click', 'msgspec', 'nbformat'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("question", QUESTIONS, ids=IDS)
def test_question_is_well_formed(question: Question) -> None:
    assert question.topic in TOPICS
    assert question.title.endswith(("?", "."))
    assert any("\u4e00" <= letter <= "\u9fff" for letter in question.title_zh)
    assert len(question.short_answer.split()) <= 220, "an answer takes a minute"
    assert question.follow_ups.count("- **") >= 3
    assert all(line.startswith(("- **", "  ")) for line in question.follow_ups.splitlines() if line)
    assert question.wrong_answer.startswith(">"), "begin with the wrong answer, quoted"
    assert question.evidence_parts()[0][0] == "markdown"
    assert any(isinstance(node, ast.Assert) for c in code_of(question) for node in _walk(c))


@pytest.mark.parametrize("question", QUESTIONS, ids=IDS)
def test_evidence_leaves_the_learners_names_alone(question: Question) -> None:
    """Evidence runs in the notebook's kernel: it must not replace what the learner wrote there."""
    exercised = {
        node.name
        for path in (FOLDER.parents[1] / "solutions").glob("exercise_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    } | {"softmax", "dot_product_attention", "scaled_dot_product_attention"}
    for code in code_of(question):
        functions = {n.name for n in _walk(code) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        names = {n.id for n in _walk(code) if isinstance(n, ast.Name)}
        assert not exercised & (functions | names)


@pytest.mark.parametrize("question", QUESTIONS, ids=IDS)
def test_evidence_runs(question: Question, tmp_path: Path) -> None:
    """In a fresh process, without a warning, in seconds."""
    options = ["-W", "error", "-W", "ignore:FigureCanvasAgg"]
    done = subprocess.run(
        [sys.executable, *options, "-c", "\n\n".join(code_of(question))],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr


def _walk(code: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(code)))
