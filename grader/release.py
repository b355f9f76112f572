"""Writes the learners' edition: everything a learner needs, graded by public examples, nothing hidden.

Of the grader it holds what the learner's commands import, and nothing else; of the suites what is public of
each exercise, as data. What is to be written is searched for hidden content before it is.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from grader import hidden, recording, registry, sources
from grader.examples import Public
from grader.exercise import Exercise
from grader.release_pages import Pages, given_away
from grader.workers import Worker

VERSION_FILE = "edition.json"
_PACKAGE = Path(__file__).resolve().parent
_ROOTS = ("grader", "grader.__main__")
_WHOLE = "worker"  # it imports what it needs when it needs it
_TEACHERS = (
    "suites",
    "classroom",
    "cli_class",
    "cli_release",
    "release",
    "release_pages",
)  # and what only these import
_DATA = ("questions", "interview/templates")
_DESKTOP = (".DS_Store", "desktop.ini", "Thumbs.db")  # what looking into a folder leaves there
_COPIED = ("LICENSE", "environment.yml")
_KEPT_TABLES = ("build-system", "project", "project.optional-dependencies", "tool.hatch", "tool.uv")
_DROPPED_LINE = re.compile(r"^cluster = .*\n", re.MULTILINE)  # for grading classes
_IMPORT = re.compile(r"^\s*(?:from|import) (grader\.\w+)", re.MULTILINE)

Files = dict[str, bytes]


class ReleaseError(Exception):
    """The edition cannot be written there, or not from this."""


class HiddenContentError(Exception):
    """The edition would hold something hidden."""


# ---------------------------------------------------------------------------- what is in it


def compose(
    numbers: Sequence[int], hints: int, worker: Worker, told: Callable[[str], None] = lambda _: None
) -> Files:
    """Make the edition's files.

    Args:
        numbers: The exercises to release.
        hints: How many hints of each are told.
        worker: Where the reference solutions run, to make the examples.
        told: Called with lines about the progress.

    Returns:
        Content by path, seen from the edition's folder.

    Raises:
        ReleaseError: an exercise gives no examples.
        HiddenContentError: something hidden would be in it.
    """
    root = registry.project_root()
    exercises = {number: registry.load(number) for number in registry.numbers()}
    stubs = {it.name: sources.stub_text(registry.solution_file(it.name)) for it in exercises.values()}
    chosen = {number: exercises[number] for number in numbers}
    files: Files = {}
    for exercise in chosen.values():
        told(f"{exercise.name}: making its examples")
        public = _public(exercise, stubs[exercise.name], hints, worker)
        files[f"grader/public/{exercise.name}.json"] = msgspec.json.encode(public) + b"\n"
        files[f"exercises/{exercise.name}.py"] = stubs[exercise.name].encode()
    pages = Pages(root, stubs, chosen, exercises)
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        files[f"notebooks/{path.name}"] = pages.notebook(path.read_text(encoding="utf-8")).encode()
    for path in sorted((root / "notebooks" / "source").glob("*.md")):
        files[f"notebooks/source/{path.name}"] = path.read_bytes()  # where scorecards look up sections
    files |= _grader_files(root)
    files |= {name: (root / name).read_bytes() for name in _COPIED}
    files["README.md"] = pages.readme().encode()
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    files["pyproject.toml"] = learners_project(project).encode()
    for line in given_away({it.name: stubs[it.name] for it in chosen.values()}, chosen):
        told(line)
    told("looking for anything hidden")
    found = hidden.findings(secrets(root, exercises, hints), files)
    if found:
        shown = "\n".join(f"  {line}" for line in found[:20])
        raise HiddenContentError(
            f"nothing was written: {len(found)} hidden things would be in it:\n{shown}"
        )
    version = tomllib.loads(project)["project"]["version"]
    files[VERSION_FILE] = _version(version, sorted(it.name for it in chosen.values()), hints, files)
    return files


def _public(exercise: Exercise, stub: str, hints: int, worker: Worker) -> Public:
    try:
        examples = recording.made(exercise, worker)
    except recording.RecordingError as error:
        raise ReleaseError(str(error)) from error
    names = set(Public.__struct_fields__) - {"stub", "examples", "hints"}
    fields = {name: getattr(exercise, name) for name in names}
    fields["outputs"] = {target: list(names) for target, names in exercise.outputs.items()}
    return Public(**fields, hints=list(exercise.hints[:hints]), stub=stub, examples=examples)


def learners_project(text: str) -> str:
    """Return pyproject.toml without the tables that only developers need."""
    tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    kept = (table for table in tables if table.startswith(tuple(f"[{name}" for name in _KEPT_TABLES)))
    return _DROPPED_LINE.sub("", "".join(kept)).rstrip("\n") + "\n"


def _version(version: str, names: list[str], hints: int, files: Files) -> bytes:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    about = {"edition": "learners", "version": version, "exercises": names, "hints": hints}
    return (json.dumps({**about, "files": digests}, indent=1) + "\n").encode()


# ---------------------------------------------------------------------------- which part of the grader


def _module_file(name: str) -> Path | None:
    path = _PACKAGE.joinpath(*name.split(".")[1:])
    return next((it for it in (path / "__init__.py", path.with_suffix(".py")) if it.is_file()), None)


def _imports(name: str, path: Path) -> Iterator[str]:
    """Names of the grader's modules that a module imports, anywhere in it; some are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join(filter(None, [*above, node.module]))
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def reachable(roots: Sequence[str], blocked: Sequence[str] = ()) -> dict[str, Path]:
    """Return the grader's modules that these import, directly or not; what is blocked is not entered."""
    found: dict[str, Path] = {}
    pending = list(roots)
    while pending:
        name = pending.pop()
        path = _module_file(name) if name.split(".")[0] == "grader" else None
        if path is None or name in found or set(name.split(".")[1:2]) & set(blocked):
            continue
        found[name] = path
        pending += [name.rpartition(".")[0], *_imports(name, path)]
    return found


def learners_modules(root: Path) -> dict[str, Path]:
    """Return the modules that the learner's commands and the notebooks import."""
    texts = (
        path.read_text(encoding="utf-8") for path in sorted((root / "notebooks" / "source").glob("*.md"))
    )
    shown = [name for text in texts for name in _IMPORT.findall(text)]
    worker = [f"grader.{_WHOLE}.{path.stem}" for path in (_PACKAGE / _WHOLE).glob("*.py")]
    return reachable([*_ROOTS, *worker, *shown], _TEACHERS)


def _grader_files(root: Path) -> Files:
    paths = list(learners_modules(root).values())
    for folder in _DATA:
        paths += [it for it in (_PACKAGE / folder).iterdir() if it.suffix in (".md", ".j2")]
    return {f"grader/{it.relative_to(_PACKAGE).as_posix()}": it.read_bytes() for it in sorted(paths)}


def secrets(root: Path, exercises: Mapping[int, Exercise], hints: int) -> hidden.Hidden:
    """Collect what must not be in an edition, which is everything hidden that is not public elsewhere."""
    suites = [f"grader.suites.{path.stem}" for path in registry.SUITES.glob("*.py")]
    learners = learners_modules(root)
    modules = [path for name, path in reachable(suites).items() if name not in learners]
    found = hidden.collect(root, exercises.values(), modules)
    found.drop_public(_public_texts(root, exercises, hints))
    return found


def _public_texts(root: Path, exercises: Mapping[int, Exercise], hints: int) -> Iterator[str]:
    notebooks = sorted((root / "notebooks" / "source").glob("*.md"))
    for path in [*notebooks, *sorted((_PACKAGE / "questions").glob("*.md"))]:
        yield path.read_text(encoding="utf-8")
    for exercise in exercises.values():
        stub = sources.stub_text(registry.solution_file(exercise.name))
        yield from (stub, ast.unparse(ast.parse(stub)), exercise.title, exercise.lesson, exercise.part)
        yield from [*exercise.hints[:hints], *exercise.implements, *exercise.forbidden]
        yield from (path for paths in exercise.weights.values() for path in paths)


# ---------------------------------------------------------------------------- where it is written


def check_target(folder: Path) -> None:
    """Refuse a folder that holds anything but an edition as it was written. Raises ReleaseError."""
    above = next(it for it in (folder.absolute(), *folder.absolute().parents) if it.exists())
    if not above.is_dir():
        raise ReleaseError(f"{above} is not a folder")
    if not os.access(above, os.W_OK):
        raise ReleaseError(f"{above} may not be written")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    former = _former(folder)
    if former is None:
        raise ReleaseError(f"{folder} is not empty, and no learners' edition")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or "__pycache__" in path.parts or path.name in (VERSION_FILE, *_DESKTOP):
            continue
        if former.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise ReleaseError(f"{folder} is an edition that was worked in ({name}): choose another folder")


def _former(folder: Path) -> dict[str, Any] | None:
    """Return the digests of a former edition's files; None where there is none."""
    try:
        about = json.loads((folder / VERSION_FILE).read_text(encoding="utf-8"))
        return dict(about["files"]) if about["edition"] == "learners" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, files: Files) -> None:
    """Write an edition in the place of a former one. Raises ReleaseError, and OSError."""
    check_target(folder)
    for name in _former(folder) or {}:
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
