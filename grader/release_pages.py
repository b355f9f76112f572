"""The pages of a learners' edition: notebooks and README for the exercises that it holds."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from grader import curriculum
from grader.exercise import Exercise

_CELL = re.compile(r"%%exercise exercise_(\d\d)( --try)?\n")
_SOLUTION_LINE = re.compile(r"^- `%solution.*\n", re.MULTILINE)  # there are none


class Pages:
    """Notebooks and README of an edition that holds `chosen` of all `exercises`."""

    def __init__(
        self,
        root: Path,
        stubs: Mapping[str, str],
        chosen: Mapping[int, Exercise],
        exercises: Mapping[int, Exercise],
    ) -> None:
        self._stubs, self._chosen = stubs, chosen
        source = root / "notebooks" / "source"
        self._lessons = curriculum.lessons(source, chosen)
        if len(chosen) < len(exercises):
            self._lessons = [lesson for lesson in self._lessons if lesson.exercises]
        self._whole_map = curriculum.show_map(curriculum.lessons(source, exercises), exercises)

    def notebook(self, text: str) -> str:
        """Return a notebook without outputs, its exercises as stubs; one left out becomes a remark."""
        found = json.loads(text)
        for cell in found["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
                self._code(cell)
            else:
                shown = "".join(cell["source"]).replace(self._whole_map, self._map())
                cell["source"] = _SOLUTION_LINE.sub("", shown).splitlines(keepends=True)
        return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def _code(self, cell: dict[str, object]) -> None:
        match = _CELL.match("".join(cell["source"]))  # type: ignore[arg-type]
        if match is None:
            return
        if int(match[1]) not in self._chosen:
            del cell["outputs"], cell["execution_count"]
            told = f"*Exercise {match[1]} is not part of this edition.*"
            cell |= {"cell_type": "markdown", "source": [told]}
        elif match[2] is None:  # what is only tried shows a mistake
            stub = f"%%exercise exercise_{match[1]}\n{self._stubs[f'exercise_{match[1]}'].rstrip()}"
            cell["source"] = stub.splitlines(keepends=True)

    def _map(self, folder: str = "") -> str:
        return curriculum.show_map(self._lessons, self._chosen, folder)

    def readme(self) -> str:
        """Return the edition's README."""
        page = Path(__file__).with_name("edition.md").read_text(encoding="utf-8")
        page = page.replace("{{map}}", self._map("notebooks/"))
        return page.replace("{{first}}", f"{min(self._chosen):02d}")


def given_away(stubs: Mapping[str, str], exercises: Mapping[int, Exercise]) -> Iterator[str]:
    """Yield a line for each exercise whose answer other stubs hold, as something given."""
    written = {name: {_public(it) for it in _written(stub)} for name, stub in stubs.items()}
    for exercise in exercises.values():
        asked = {_public(it) for it in exercise.implements}
        holders = [name for name in stubs if name != exercise.name and asked <= written[name]]
        if holders:
            yield (
                f"{exercise.name}: its answer is given in {', '.join(holders)}. "
                "Where it counts for a grade, collect it before you release these."
            )


def _public(name: str) -> str:
    return name.lstrip("_")


def _written(stub: str) -> Iterator[str]:
    """Yield the functions and classes of a stub that nothing is left out of."""
    for node in ast.parse(stub).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and "NotImplementedError" not in ast.unparse(
            node
        ):
            yield node.name
