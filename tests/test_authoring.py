"""What is generated follows from its sources, and nobody's work is overwritten."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import authoring, curriculum, registry
from grader.questions import load_questions

SOLUTION = '''"""Say hello.

Write `hello`.
"""

import numpy as np


def hello(name):
    """Return a greeting."""
    ### BEGIN SOLUTION
    greeting = f"Hello, {name}!"

    return greeting
    ### END SOLUTION


class Door:
    def open(self):
        if True:
            ### BEGIN SOLUTION
            self.state = "open"
            ### END SOLUTION
        return self
'''

STUB = '''"""Say hello.

Write `hello`.
"""

import numpy as np


def hello(name):
    """Return a greeting."""
    raise NotImplementedError("Write this part.")


class Door:
    def open(self):
        if True:
            raise NotImplementedError("Write this part.")
        return self
'''

NOTEBOOK = """# A title

```python
%load_ext grader
```

Some prose with an *inline* {{exercise 01}}.

{{exercise 01}}

## More
And more.
{{ question 9 }}
Last words.

```python
x = 1  # {{question 9}} in code stays
```
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one exercise and one notebook, in a folder of its own."""
    for folder in ("solutions", "exercises", "notebooks/source"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "solutions" / "exercise_01.py").write_text(SOLUTION, encoding="utf-8")
    (tmp_path / "solutions" / "__init__.py").touch()
    (tmp_path / "notebooks" / "source" / "03_hello.md").write_text(NOTEBOOK, encoding="utf-8")
    return tmp_path


def run(project: Path, *options: str) -> int:
    return authoring.main(["--root", str(project), *options])


def git(project: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_stub_replaces_each_marked_part() -> None:
    assert authoring.stub_from_solution(SOLUTION) == STUB


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "line 1: no '### BEGIN SOLUTION'"),
        ("", "line 1: no '### BEGIN SOLUTION'"),
        ("x = 1\n### BEGIN SOLUTION\ny = 2\n", "line 2: '### BEGIN SOLUTION' without"),
        ("x = 1\n### END SOLUTION\n", "line 2: '### END SOLUTION' without"),
        (
            "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION\n### END SOLUTION\n",
            "line 2: the part that begins in line 1 is still open",
        ),
        ("if 1:\n    ### BEGIN SOLUTION\n    x = 1\n### END SOLUTION\n", "line 4: not indented"),
        ("### BEGIN SOLUTION\nx = 1\n# end solution\n", "line 3: expected"),
        ("### BEGIN SOLUTION:\nx = 1\n### END SOLUTION\n", "line 1: expected"),
        ("x = 1 ### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", "line 1: expected"),
        ("def f(:\n    ### BEGIN SOLUTION\n    ### END SOLUTION\n", "line 1 of its stub"),
    ],
)
def test_bad_markers_name_the_line(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"exercise_01\.py") as caught:
        authoring.stub_from_solution(source, "exercise_01.py")
    assert message in str(caught.value)


def test_notebook_holds_what_the_source_says(project: Path) -> None:
    assert run(project) == 0
    text = (project / "notebooks" / "03_hello.ipynb").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    notebook = json.loads(text)
    cells = notebook["cells"]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert [cell["id"] for cell in cells] == [f"03-{i:03d}" for i in range(1, len(cells) + 1)]
    sources = ["".join(cell["source"]) for cell in cells]
    code = [s for s, cell in zip(sources, cells, strict=True) if cell["cell_type"] == "code"]
    assert all(c["outputs"] == [] for c in cells if c["cell_type"] == "code")
    assert all(c["execution_count"] is None for c in cells if c["cell_type"] == "code")
    assert code[0] == "%load_ext grader"
    assert code[1] == "%%exercise exercise_01\n" + STUB.rstrip()
    assert code[-1] == "x = 1  # {{question 9}} in code stays"
    assert "inline* {{exercise 01}}." in "".join(sources)  # only alone on a line


def test_question_is_laid_out(project: Path) -> None:
    question = next(q for q in load_questions() if q.number == 9)
    run(project)
    notebook = json.loads((project / "notebooks" / "03_hello.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    start = next(i for i, s in enumerate(sources) if s.startswith("### Question 9: "))
    assert sources[start - 1] == "## More\nAnd more."
    assert question.title_zh in sources[start]
    assert sources[start].count("<details>") == sources[start].count("</details>") == 3
    for text in (question.short_answer, question.follow_ups, question.wrong_answer):
        assert f"</summary>\n\n{text}\n\n</details>" in sources[start]
    parts = question.evidence_parts()
    assert sources[start + 1].endswith(parts[0][1])
    assert sources[start + 2] == parts[1][1]
    assert question.sources[0] in sources[start + 1 + len(parts)]
    assert sources[start + 2 + len(parts)] == "Last words."


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("{{exercise 02}}", "there is no exercise 2"),
        ("{{question 999}}", "there is no question 999"),
        ("{{answer 9}}", "expected {{exercise N}} or {{question N}}"),
        ("{{question nine}}", "expected"),
        ("{{question 9}", "expected"),
        ("  {{question 9}} and more", "expected"),
    ],
)
def test_bad_directive_names_the_file(
    project: Path, capsys: pytest.CaptureFixture[str], directive: str, message: str
) -> None:
    source = project / "notebooks" / "source" / "03_hello.md"
    source.write_text(f"# Hello\n\n{directive}\n", encoding="utf-8")
    assert run(project) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "notebooks/source/03_hello.md" in error
    assert not (project / "notebooks" / "03_hello.ipynb").exists()


def test_missing_tools_are_named(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    assert run(project) == 2
    assert "jupytext is not installed" in capsys.readouterr().err


def test_importing_needs_no_notebook_tools() -> None:
    program = "import sys, grader.authoring; print({'jupytext', 'nbformat', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_writing_twice_gives_the_same_bytes(project: Path) -> None:
    assert run(project) == 0
    before = snapshot(project)
    assert run(project, "--force") == 0
    for name in ("exercises/exercise_01.py", "notebooks/03_hello.ipynb"):
        (project / name).unlink()
    assert run(project) == 0
    assert snapshot(project) == before
    assert (project / "exercises" / "exercise_01.py").read_text(encoding="utf-8") == STUB


def test_check_lists_drift_and_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(project)
    assert run(project, "--check") == 1
    assert snapshot(project) == before
    assert "missing: exercises/exercise_01.py" in capsys.readouterr().out
    run(project)
    capsys.readouterr()
    assert run(project, "--check") == 0
    assert capsys.readouterr().out == ""
    solution = project / "solutions" / "exercise_01.py"
    solution.write_text(SOLUTION.replace("Say hello", "Say it"), encoding="utf-8")
    before = snapshot(project)
    assert run(project, "--check") == 1
    out = capsys.readouterr().out
    assert "out of date: exercises/exercise_01.py" in out
    assert "out of date: notebooks/03_hello.ipynb" in out  # the stub stands in it
    assert snapshot(project) == before


def test_check_finds_what_has_no_source(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project)
    (project / "exercises" / "exercise_77.py").touch()
    (project / "notebooks" / "old.ipynb").touch()
    assert run(project, "--check") == 1
    out = capsys.readouterr().out
    assert "no source: exercises/exercise_77.py" in out
    assert "no source: notebooks/old.ipynb" in out


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_learners_work_is_not_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project)
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "start")
    solution = project / "solutions" / "exercise_01.py"
    desk = project / "exercises" / "exercise_01.py"

    solution.write_text(SOLUTION.replace("Say hello", "Say it"), encoding="utf-8")
    assert run(project) == 0  # untouched since the commit: replaced
    assert '"""Say it.' in desk.read_text(encoding="utf-8")

    git(project, "commit", "--quiet", "--all", "--message", "next")
    desk.write_text("my work\n", encoding="utf-8")
    capsys.readouterr()
    assert run(project) == 0
    assert "skipped exercises/exercise_01.py" in capsys.readouterr().out
    assert desk.read_text(encoding="utf-8") == "my work\n"
    git(project, "add", ".")  # staged is still not committed
    assert run(project) == 0
    assert desk.read_text(encoding="utf-8") == "my work\n"

    assert run(project, "--force") == 0
    assert '"""Say it.' in desk.read_text(encoding="utf-8")


@pytest.mark.parametrize("git_is_installed", [True, False])
def test_outside_a_repository_only_missing_exercises_are_written(
    project: Path, monkeypatch: pytest.MonkeyPatch, git_is_installed: bool
) -> None:
    if not git_is_installed:
        monkeypatch.setattr(authoring.shutil, "which", lambda name: None)
    desk = project / "exercises" / "exercise_01.py"
    assert run(project) == 0
    assert desk.read_text(encoding="utf-8") == STUB
    desk.write_text("my work\n", encoding="utf-8")
    assert run(project) == 0
    assert desk.read_text(encoding="utf-8") == "my work\n"


def test_the_map_holds_every_exercise_and_every_question() -> None:
    exercises = {number: registry.load(number) for number in registry.numbers()}
    lessons = curriculum.lessons(authoring.ROOT / "notebooks" / "source", exercises)
    assert sorted(number for lesson in lessons for number in lesson.exercises) == sorted(exercises)
    assert sorted(number for lesson in lessons for number in lesson.questions) == list(range(1, 46))
    assert all(lesson.minutes for lesson in lessons)
    shown = curriculum.show_map(lessons, exercises)
    assert "10 Multi-head attention (35 min, ★★★)" in shown
    listed = curriculum.show_questions(lessons, load_questions())
    assert "| 28 | What does attention cost in time, memory and parameters? |" in listed
    assert listed.count(".ipynb)") == 45


def test_a_page_without_the_marks_is_told() -> None:
    with pytest.raises(ValueError, match="expected the lines"):
        curriculum.replaced("# A page", "a map")


def test_generated_files_of_this_project_are_up_to_date() -> None:
    """The exercises are left out: they are the learner's desk, and only CI's checkout is clean."""
    files = authoring.generate(authoring.ROOT)
    notebooks = {path: text for path, text in files.items() if path.suffix == ".ipynb"}
    stale = [path.name for path, text in notebooks.items() if authoring._read(path) != text]
    assert not stale, "run: python -m grader.authoring"
