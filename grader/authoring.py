"""Write what is generated: exercises from solutions, notebooks from their text sources.

    python -m grader.authoring            write what is out of date
    python -m grader.authoring --check    write nothing, list what is out of date, exit 1 if any

A notebook source is jupytext markdown with two directives, each alone on its line:

    {{exercise 01}}    the exercise's stub in a cell that grades itself
    {{question 9}}     an interview question, its answer folded away, and its evidence

and, on the first page, `{{curriculum map}}` and `{{curriculum questions}}`. The README holds the map too.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grader import curriculum, registry
from grader.questions import Question, load_questions
from grader.stubs import stub_from_solution

ROOT = Path(__file__).resolve().parents[1]

_DIRECTIVE = re.compile(r"\{\{\s*(\w+)\s+(\w+)\s*\}\}")


class MissingToolError(Exception):
    """A development dependency that writing notebooks needs is not installed."""


# ---------------------------------------------------------------------------- exercises


# ---------------------------------------------------------------------------- notebooks


def build_notebook(
    source: str,
    number: str,
    stubs: dict[int, str],
    questions: dict[int, Question],
    tables: Mapping[str, str] | None = None,
) -> str:
    """Build a notebook from its text source.

    Args:
        source: jupytext markdown with directives.
        number: the notebook's two digits; cell ids begin with them.
        stubs: exercise number to stub.
        questions: question number to question.
        tables: what `{{curriculum NAME}}` stands for, by name.

    Returns:
        The notebook as JSON text, without outputs, the same for the same arguments.

    Raises:
        ValueError: a directive is unknown, or names no exercise or question there is.
        MissingToolError: jupytext or nbformat is not installed.
    """
    jupytext, nbformat = _notebook_tools()
    v4 = nbformat.v4
    cells: list[Any] = []
    for cell in jupytext.reads(source, fmt="md").cells:
        if cell.cell_type == "markdown":
            pieces = _expand_directives(cell.source, stubs, questions, tables or {})
        else:
            pieces = iter([("code", cell.source)])
        for kind, text in pieces:
            make = v4.new_code_cell if kind == "code" else v4.new_markdown_cell
            cells.append(make(text, id=f"{number}-{len(cells) + 1:03d}"))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook, version=4)).rstrip("\n") + "\n"


def _notebook_tools() -> tuple[Any, Any]:
    try:
        import jupytext
        import nbformat
    except ImportError as error:
        raise MissingToolError(
            f"{error.name} is not installed. It comes with the dev group: uv sync --group dev"
        ) from error
    return jupytext, nbformat


def _expand_directives(
    text: str, stubs: dict[int, str], questions: dict[int, Question], tables: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the cells of one markdown cell, with the directives in it expanded."""
    prose: list[str] = []
    for line in text.splitlines():
        if not line.strip().startswith("{{"):
            prose.append(line)
            continue
        match = _DIRECTIVE.fullmatch(line.strip())
        if match and match[1] == "curriculum" and match[2] in tables:
            prose.append(tables[match[2]])
            continue
        if not match or match[1] not in ("exercise", "question") or not match[2].isdecimal():
            raise ValueError(f"expected {{{{exercise N}}}} or {{{{question N}}}}. Received {line}")
        what, number = match[1], int(match[2])
        if number not in (stubs if what == "exercise" else questions):
            raise ValueError(f"{line.strip()}: there is no {what} {number}")
        yield from _prose_cell(prose)
        prose = []
        if what == "exercise":
            yield "code", f"%%exercise exercise_{number:02d}\n{stubs[number].rstrip()}"
        else:
            yield from _question_cells(questions[number])
    yield from _prose_cell(prose)


def _prose_cell(lines: list[str]) -> Iterator[tuple[str, str]]:
    text = "\n".join(lines).strip()
    if text:
        yield "markdown", text


def _question_cells(question: Question) -> Iterator[tuple[str, str]]:
    folded = (
        ("Short answer", question.short_answer),
        ("Follow-ups", question.follow_ups),
        ("Often heard, and wrong", question.wrong_answer),
    )
    head = f"### Question {question.number}: {question.title}\n\n<small>{question.title_zh}</small>"
    hint = "*Answer it aloud in a minute before you unfold anything.*"
    details = [
        f"<details>\n<summary><b>{summary}</b></summary>\n\n{text}\n\n</details>"
        for summary, text in folded
    ]
    yield "markdown", "\n\n".join([head, hint, *details])
    lead = f"**Evidence for question {question.number}.** "
    for kind, text in question.evidence_parts():
        yield kind, lead + text if kind == "markdown" else text
        lead = "" if kind == "markdown" else lead
    yield "markdown", "<small>Sources: " + "; ".join(question.sources) + ".</small>"


# ---------------------------------------------------------------------------- files


def generate(root: Path) -> dict[Path, str]:
    """Compute the text of every generated file of the project in `root`.

    Raises:
        ValueError: a source is wrong; the message names the file.
        MissingToolError: there are notebooks to build and the tools for it are not installed.
    """
    stubs = {}
    files = {}
    for path in sorted((root / "solutions").glob("exercise_[0-9][0-9].py")):
        stub = stub_from_solution(path.read_text(encoding="utf-8"), f"solutions/{path.name}")
        stubs[int(path.stem[-2:])] = stub
        files[root / "exercises" / path.name] = stub
    questions = {question.number: question for question in load_questions()}
    exercises = {number: registry.load(number) for number in registry.numbers() if number in stubs}
    lessons = curriculum.lessons(root / "notebooks" / "source", exercises)
    tables = {
        "map": curriculum.show_map(lessons, exercises),
        "questions": curriculum.show_questions(lessons, list(questions.values())),
    }
    readme = root / "README.md"
    if readme.is_file():
        try:
            shown = curriculum.show_map(lessons, exercises, "notebooks/")
            files[readme] = curriculum.replaced(readme.read_text(encoding="utf-8"), shown)
        except ValueError as error:
            raise ValueError(f"README.md: {error}") from error
    for path in sorted((root / "notebooks" / "source").glob("*.md")):
        try:
            text = build_notebook(path.read_text(encoding="utf-8"), path.name[:2], stubs, questions, tables)
        except ValueError as error:
            raise ValueError(f"notebooks/source/{path.name}: {error}") from error
        files[root / "notebooks" / f"{path.stem}.ipynb"] = text
    return files


def strays(root: Path, files: dict[Path, str]) -> list[Path]:
    """List the exercises and notebooks that no source generates."""
    found = [
        *(root / "exercises").glob("exercise_[0-9][0-9].py"),
        *(root / "notebooks").glob("*.ipynb"),
    ]
    return sorted(path for path in found if path not in files)


def is_unmodified(path: Path, root: Path) -> bool:
    """Tell whether git knows `path` and has it as it is now; False where there is no git."""
    git = shutil.which("git")
    if git is None:
        return False
    name = path.relative_to(root).as_posix()
    for arguments in (["ls-files", "--error-unmatch"], ["diff", "--quiet", "HEAD"]):
        command = [git, "-C", str(root), *arguments, "--", name]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code (0 fine, 1 out of date, 2 cannot be done)."""
    parser = argparse.ArgumentParser(
        prog="python -m grader.authoring",
        description="Write the exercises and notebooks that are generated from sources.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; list what is stale")
    parser.add_argument("--force", action="store_true", help="overwrite changed exercises too")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project (default: this one)")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        files = generate(root)
    except (ValueError, MissingToolError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    stale = [path for path, text in files.items() if _read(path) != text]
    stray = strays(root, files)
    if options.check:
        return _report(stale, stray, root)
    for path in stale:
        name = path.relative_to(root).as_posix()
        desk = path.parent.name == "exercises"
        if desk and path.exists() and not options.force and not is_unmodified(path, root):
            print(f"skipped {name}: it has changes that git does not have (--force overwrites)")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8", newline="\n")
        print(f"wrote {name}")
    for path in stray:
        print(f"warning: {path.relative_to(root).as_posix()} has no source")
    return 0


def _report(stale: list[Path], stray: list[Path], root: Path) -> int:
    for path in stale:
        state = "out of date" if path.exists() else "missing"
        print(f"{state}: {path.relative_to(root).as_posix()}")
    for path in stray:
        print(f"no source: {path.relative_to(root).as_posix()}")
    if stale or stray:
        print("run: python -m grader.authoring")
    return 1 if stale or stray else 0


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    sys.exit(main())
