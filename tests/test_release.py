"""The learners' edition: nothing hidden is in it, and it grades by its public examples."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import py_compile
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from grader import examples, hidden, judging, proofs, recording, registry, release, release_pages, sources
from grader.submission import Submission

pytestmark = pytest.mark.xdist_group("release")
SOLUTIONS = sorted((ROOT / "solutions").glob("exercise_*.py"))
EXERCISES = {number: registry.load(number) for number in registry.numbers()}


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edition with every exercise, as the command writes it."""
    folder = tmp_path_factory.mktemp("release") / "edition"
    command = [sys.executable, "-m", "grader", "release", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def secrets() -> hidden.Hidden:
    return release.secrets(ROOT, EXERCISES, 2)


@pytest.fixture
def learner(edition: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m grader` in the edition, as a learner who has nothing else."""

    def run(*arguments: str, program: list[str] | None = None, **options: Any) -> Any:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"PYTHONDONTWRITEBYTECODE": "1", "ATTENTION_DOJO_STATE": str(tmp_path / "learner")}
        command = [sys.executable, *(program or ["-m", "grader"]), *arguments]
        settings = {
            "cwd": edition,
            "capture_output": True,
            "text": True,
            "timeout": 300,
            "env": environment,
        }
        return subprocess.run(command, check=False, **{**settings, **options})

    return run


@pytest.fixture
def desk(edition: Path) -> Iterator[Path]:
    """The edition's desk; every exercise is its stub again afterwards."""
    folder = edition / "exercises"
    before = {path: path.read_bytes() for path in folder.glob("*.py")}
    yield folder
    shutil.rmtree(folder / ".backup", ignore_errors=True)
    for path, data in before.items():
        path.write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def part_of(solution: Path) -> str:
    return "\n".join(hidden._MARKED.findall(solution.read_text()))


# Nothing hidden


def test_nothing_hidden_is_in_the_edition(edition: Path, secrets: hidden.Hidden) -> None:
    files = contents(edition)
    assert hidden.findings(secrets, files) == []
    assert {name.split("/")[0] for name in files} == {
        *("LICENSE", "README.md", "edition.json", "environment.yml", "pyproject.toml"),
        *("exercises", "grader", "notebooks"),
    }
    stubs = "".join(sources.stub_text(path) for path in SOLUTIONS)
    texts = [exercise.hints[2] for exercise in EXERCISES.values()]
    for exercise in EXERCISES.values():
        texts += [it.explanation for it in exercise.misconceptions.values()]
        texts += [it.title for it in exercise.checks if len(it.title) > 16 and it.title not in stubs]
    texts += [f"{seed:_}" for seed in recording.SEEDS] + [str(seed) for seed in recording.SEEDS]
    for name, data in files.items():
        shown = data.decode()
        assert not [text for text in texts if text in shown], name
        assert "BEGIN SOLUTION\n" not in shown


def test_the_proof_knows_every_solution_and_suite(secrets: hidden.Hidden) -> None:
    origins = [origin for pieces in secrets.long.values() for origin in pieces.values()]
    for path in SOLUTIONS:
        assert f"{path.name}, solution" in origins
        assert origins.count(f"grader/suites/{path.name}") > 20
    assert "grader/reference.py" in origins
    assert "grader/transformer_reference.py" in origins
    assert len(secrets.names) > 500


def as_zip(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("holiday.txt", data)
    return stream.getvalue()


def reformatted(source: str) -> bytes:
    return ("import numpy\n" + hidden._unparsed(source).replace("\n    ", "\n\t")).encode()


DISGUISES: dict[str, Callable[[str], bytes]] = {
    "another name": str.encode,
    "without comments, another layout": reformatted,
    "in JSON": lambda text: json.dumps({"a": [1, {"b": text}]}).encode(),
    "a notebook's lines": lambda text: json.dumps({"source": text.splitlines(True)}).encode(),
    "base64": lambda text: b"A picture: " + base64.b64encode(text.encode()),
    "base64 of gzip in JSON": lambda text: json.dumps(
        [base64.b64encode(gzip.compress(text.encode())).decode()]
    ).encode(),
    "zip": lambda text: as_zip(text.encode()),
    "zip in zip": lambda text: as_zip(as_zip(text.encode())),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_a_smuggled_solution_is_found(path: Path, disguise: str, secrets: hidden.Hidden) -> None:
    data = DISGUISES[disguise](path.read_text())
    found = hidden.findings(secrets, {"grader/colours.py": data})
    assert any(path.name in line for line in found), found


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "grader" / "reference.py").read_text(),
        (ROOT / "grader" / "suites" / "exercise_03.py").read_text(),
        (ROOT / "tests" / "variants" / "exercise_03" / "einsum.py").read_text(),
        EXERCISES[3].hints[2],
        EXERCISES[3].checks[0].title,
        EXERCISES[3].misconceptions["mask-inverted"].explanation,
        "The mistake is called mask-after-softmax.",
    ],
    ids=lambda text: text[:30],
)
def test_other_smuggled_things_are_found(text: str, secrets: hidden.Hidden) -> None:
    assert hidden.findings(secrets, {"notes.md": f"Before\n{text}\nafter".encode()})
    assert not hidden.findings(secrets, {"notes.md": b"Before\nand after"})


def test_what_is_no_text_and_hidden_files_are_found(secrets: hidden.Hidden, tmp_path: Path) -> None:
    path = tmp_path / "fine.py"
    path.write_text("x = 1\n")
    compiled = Path(py_compile.compile(str(path), str(tmp_path / "fine.bin"))).read_bytes()
    for name, data in (("a.bin", compiled), (".git/config", b""), ("grader/__pycache__/a.txt", b"")):
        assert hidden.findings(secrets, {name: data}), name


def test_a_release_with_something_hidden_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "made", lambda exercise, worker: [])
    monkeypatch.setattr(release, "_COPIED", ("LICENSE", "solutions/exercise_10.py"))
    with pytest.raises(release.HiddenContentError, match=r"exercise_10\.py, solution"):
        release.compose([1, 3], 2, None)  # type: ignore[arg-type]


def test_hints_are_two_unless_three_are_asked_for(edition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = json.loads((edition / "grader" / "public" / "exercise_03.json").read_text())
    assert public["hints"] == list(EXERCISES[3].hints[:2])
    monkeypatch.setattr(recording, "made", lambda exercise, worker: [])
    files = release.compose([3], 3, None)  # type: ignore[arg-type]
    assert json.loads(files["grader/public/exercise_03.json"])["hints"] == list(EXERCISES[3].hints)


# The examples


class Spy(Submission):
    """Notes the inputs of every call."""

    seen: set[str]

    def request(self, op: str, **payload: Any) -> Any:
        if op == "call":
            try:
                args = [examples.pack(item) for item in payload["args"]]
                kwargs = {key: examples.pack(item) for key, item in payload["kwargs"].items()}
                self.seen.add(
                    recording.inputs(examples.Example(payload["name"], examples.Call(args, kwargs), 0))
                )
            except examples.NotPlainError:
                pass
        return super().request(op, **payload)


@pytest.mark.parametrize("number", [n for n in EXERCISES if EXERCISES[n].kind == "numpy"])
def test_no_example_is_a_hidden_test(
    number: int, edition: Path, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise, seen = EXERCISES[number], set[str]()
    monkeypatch.setattr(Spy, "seen", seen, raising=False)
    monkeypatch.setattr(judging, "Submission", Spy)
    for seed in range(3):
        verdict = judging.grade(exercise, registry.solution_file(exercise.name), worker, seed)
        assert verdict.passed
    public = examples.read(edition / "grader" / "public" / f"{exercise.name}.json")
    for example in public.examples:
        if '"float' in recording.inputs(example):  # a drawn length may come again
            assert recording.inputs(example) not in seen


def test_two_to_eight_examples_each_and_every_target_that_is_compared(edition: Path) -> None:
    for exercise in EXERCISES.values():
        public = examples.read(edition / "grader" / "public" / f"{exercise.name}.json")
        assert 2 <= len(public.examples) <= 8
        assert {it.name for it in public.examples} == set(exercise.implements)


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1.5, -np.inf], [np.nan, 0.1]], np.float32),
        np.zeros((0, 3)),
        np.array(True),
        np.arange(3, dtype=np.int32),
        (1, [2.5, None, "x"], {"a": np.ones(2, bool)}, float("inf")),
    ],
    ids=repr,
)
def test_values_survive_being_data(value: Any) -> None:
    data = json.loads(json.dumps(examples.pack(value)))
    np.testing.assert_equal(examples.unpack(data), value)
    if isinstance(value, np.ndarray):
        assert examples.unpack(data).dtype == value.dtype


def test_a_step_that_is_called_wrongly_is_the_learners_fault(learner, desk: Path) -> None:
    solution = (ROOT / "solutions" / "exercise_20.py").read_text()
    call = "def greedy_decode(step, state, bos, eos, max_length):\n"
    desk.joinpath("exercise_20.py").write_text(
        f"{solution}\n\n{call}    step([bos, bos], state)\n    step(None, 'x')\n    return []\n"
    )
    verdict = json.loads(learner("20", "--json").stdout)
    assert verdict["status"] == "failed"


# The edition at work


def test_right_answers_pass_and_stubs_are_not_started(learner, desk: Path) -> None:
    for path in SOLUTIONS:
        done = learner(path.stem, "--json") if path.stem in ("exercise_03", "exercise_27") else None
        assert done is None or json.loads(done.stdout)["status"] == "not_started"
        desk.joinpath(path.name).write_bytes(path.read_bytes())
    done = learner("all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == len(SOLUTIONS)


@pytest.mark.parametrize(
    ("number", "id"),
    [(1, "whole-array"), (3, "no-scaling"), (3, "mask-inverted"), (10, None), (20, None), (23, None)],
)
def test_wrong_answers_fail_on_examples(number: int, id: str | None, learner, desk: Path) -> None:
    exercise = EXERCISES[number]
    mistake = exercise.misconceptions[id or next(iter(exercise.misconceptions))]
    desk.joinpath(f"{exercise.name}.py").write_text(proofs.wrong_source(exercise, mistake))
    done = learner(str(number), "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert set(verdict) == {"exercise", "status", "passed", "score", "seed", "seconds", "sandbox", "checks"}
    assert verdict["status"] == "failed"
    assert not [check for check in verdict["checks"] if check["misconception"]]


def test_a_failed_example_shows_both_sides_and_says_whose_the_hidden_tests_are(learner, desk: Path) -> None:
    exercise = EXERCISES[3]
    text = proofs.wrong_source(exercise, exercise.misconceptions["no-scaling"])
    desk.joinpath("exercise_03.py").write_text(text)
    told = learner("exercise_03").stdout
    assert "✗ example 1: scaled_dot_product_attention(query, key, value)" in told
    for part in ("Expected:", "Received:", "The call:", "hidden tests are your teacher's"):
        assert part in told
    assert "--seed" not in told


def test_the_learners_commands(learner, desk: Path) -> None:
    assert "exercise_29" in learner("list").stdout
    assert "0 of" in learner("status").stdout
    hints = [learner("hint", "3").stdout for _ in range(3)]
    assert [told.count("Hint ") for told in hints] == [1, 2, 2]
    assert "solution" not in hints[2]
    path = desk / "exercise_03.py"
    stub = path.read_bytes()
    path.write_text("x = 1\n")
    assert learner("reset", "3", "--yes").returncode == 0
    assert path.read_bytes() == stub
    (backup,) = (desk / ".backup").iterdir()
    assert backup.read_text() == "x = 1\n"
    assert "no interviews yet" in learner("interview", "--list").stdout
    begun = learner("interview", "--questions-only", "--minutes", "5", input="/quit\n")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert "Grading works here" in learner("doctor").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["solution", "3"],
        ["3", "--solution"],
        ["all", "--solution"],
        ["class", "folder", "--out", "report"],
        ["release", "folder"],
    ],
    ids=" ".join,
)
def test_what_is_the_teachers_says_so(arguments: list[str], learner) -> None:
    done = learner(*arguments)
    assert done.returncode == 2
    assert "edition" in done.stderr
    assert "Traceback" not in done.stderr


CELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "grader")
shell.run_cell_magic("exercise", "exercise_01", {cell!r})
shell.run_line_magic("hint", "exercise_01")
shell.run_line_magic("solution", "exercise_01")
"""


def test_a_notebooks_cell_is_graded_by_the_examples(learner, desk: Path) -> None:
    cell = (ROOT / "solutions" / "exercise_01.py").read_text()
    done = learner(program=["-c", CELL.format(cell=cell)])
    assert done.returncode == 0, done.stderr
    assert "PASSED  4 of 4" in done.stdout
    assert "hidden tests are your teacher's" in done.stdout
    assert "comes without solutions" in done.stdout


def test_watch_grades_by_the_examples(edition: Path, tmp_path: Path, desk: Path) -> None:
    desk.joinpath("exercise_01.py").write_bytes((ROOT / "solutions" / "exercise_01.py").read_bytes())
    environment = {**os.environ, "ATTENTION_DOJO_STATE": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "grader", "watch", "1"]
    with subprocess.Popen(
        command, cwd=edition, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            told = next(line for line in process.stdout if "Now exercise_" in line)
        finally:
            process.terminate()
    assert "exercise_02" in told


def test_every_module_of_the_edition_can_be_imported(edition: Path, learner) -> None:
    skipped = ("__main__", "grader.worker")  # the worker's modules import each other as its process does
    paths = [path.relative_to(edition).with_suffix("") for path in (edition / "grader").rglob("*.py")]
    names = sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)
    names = [name for name in names if not any(part in name for part in skipped)]
    program = f"import importlib, grader\nfor name in {names}: importlib.import_module(name)\n"
    program += "print(grader.__file__)"
    done = learner(program=["-c", program])
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(edition)


# What is written, and where


def test_notebooks_and_stubs_are_those_of_the_project(edition: Path) -> None:
    for path in SOLUTIONS:
        assert (edition / "exercises" / path.name).read_text() == sources.stub_text(path)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = (edition / "notebooks" / path.name).read_text(encoding="utf-8")
        ours = path.read_text(encoding="utf-8").splitlines()
        assert text.splitlines() == [line for line in ours if "- `%solution" not in line]


def test_a_teachers_answers_stay_out_of_notebooks() -> None:
    path = ROOT / "notebooks" / "01_softmax_attention.ipynb"
    stubs = {it.name: sources.stub_text(registry.solution_file(it.name)) for it in EXERCISES.values()}
    worked = json.loads(path.read_text())
    for cell in worked["cells"]:
        if cell["cell_type"] == "code":
            cell |= {
                "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
                "execution_count": 3,
            }
            if "".join(cell["source"]).startswith("%%exercise exercise_01"):
                cell["source"] = "%%exercise exercise_01\n" + part_of(SOLUTIONS[0])
    pages = release_pages.Pages(ROOT, stubs, EXERCISES, EXERCISES)
    assert pages.notebook(json.dumps(worked)) == path.read_text()


def test_an_edition_of_some_exercises(run_cli, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    done = run_cli("release", str(folder), "--exercise", "3", "--exercise", "exercise_01")
    assert done.returncode == 0, done.stderr
    names = ["exercise_01.json", "exercise_03.json"]
    assert sorted(path.name for path in (folder / "grader" / "public").iterdir()) == names
    text = (folder / "notebooks" / "01_softmax_attention.ipynb").read_text()
    assert "Exercise 02 is not part of this edition" in text
    assert "%%exercise exercise_02" not in text
    assert "exercise_04" not in (folder / "README.md").read_text()

    # Once more: it is replaced. Worked in: it is not.
    (folder / ".DS_Store").write_bytes(b"somebody looked into it")
    done = run_cli("release", str(folder), "--exercise", "2")
    assert done.returncode == 0
    assert ": 1 exercise," in done.stdout
    first = (folder / "notebooks" / "00_start_here.ipynb").read_text()
    assert "Exercise 01 is not part of this edition" in first
    assert "| [01 " in first  # on the map
    assert "| [04 " not in first
    assert not (folder / "grader" / "public" / "exercise_01.json").exists()
    (folder / "exercises" / "exercise_02.py").write_text("mine = 1\n")
    done = run_cli("release", str(folder), "--exercise", "2")
    assert done.returncode == 2
    assert "worked in (exercises/exercise_02.py)" in done.stderr


def test_a_stub_that_holds_another_answer_is_told() -> None:
    stubs = {it.name: sources.stub_text(registry.solution_file(it.name)) for it in EXERCISES.values()}
    told = list(release_pages.given_away(stubs, EXERCISES))
    assert any(line.startswith("exercise_17: its answer is given in exercise_19.") for line in told)
    assert not [line for line in told if line.startswith("exercise_03")]


def test_other_folders_are_refused(run_cli, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    done = run_cli("release", str(tmp_path))
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert run_cli("release", str(tmp_path / "thesis.txt")).returncode == 2
    assert "is not a folder" in run_cli("release", str(tmp_path / "thesis.txt" / "new")).stderr
    assert run_cli("release", str(tmp_path / "new"), "--exercise", "99").returncode == 2


def test_the_project_file_has_no_developers_tables() -> None:
    text = release.learners_project((ROOT / "pyproject.toml").read_text())
    assert "keras>=" in text
    assert not [
        word for word in ("dependency-groups", "pytest", "ruff", "mypy", "distributed") if word in text
    ]
