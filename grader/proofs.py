"""Proves suites: the solution passes, every misconception fails under its own name, variants pass.

    python -m grader.proofs 3        prove exercise 03 (all without arguments)

Misconceptions become submissions that really run in the worker. The tests call the same functions.
"""

from __future__ import annotations

import ast
import inspect
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from grader import reference, registry
from grader.exercise import Exercise, Misconception
from grader.judging import grade
from grader.verdict import Verdict
from grader.workers import Worker

_CAST = """
def {target}(*args, **kwargs):
    result = {mistake}(*args, **kwargs)
    given = [a for a in (*args, *kwargs.values()) if isinstance(a, np.ndarray)]
    floats = {{a.dtype for a in given if a.dtype.kind == "f"}}
    narrow = floats == {{np.dtype("float32")}} and not any(a.dtype.kind in "iu" for a in given)
    def cast(a):
        return np.asarray(a, np.float32) if narrow and np.asarray(a).dtype.kind == "f" else a
    return tuple(map(cast, result)) if isinstance(result, tuple) else cast(result)
"""


def wrong_source(exercise: Exercise, misconception: Misconception) -> str:
    """Return a submission that makes one mistake, as Python source.

    Raises:
        ValueError: an edit does not apply exactly once, or there is neither code nor function.
    """
    where = f"{exercise.name}, {misconception.id}"
    solution = registry.solution_file(exercise.name).read_text(encoding="utf-8")
    if isinstance(misconception.wrong, str):
        return f"{solution}\n\n{textwrap.dedent(misconception.wrong)}"
    if misconception.wrong is not None:
        for old, new in misconception.wrong.items():
            if solution.count(old) != 1:
                found = solution.count(old)
                raise ValueError(f"{where}: the solution holds {old!r} {found} times; expected 1")
            solution = solution.replace(old, new)
        return solution
    if not misconception.functions:
        raise ValueError(f"{where}: needs `wrong`, there is no function to take the code from")
    return solution + _from_function(misconception)


def _from_function(misconception: Misconception) -> str:
    """The mistake's own function as a submission, its results in the inputs' precision."""
    ((target, function),) = misconception.functions.items()
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    blocks = Path(reference.__file__).read_text(encoding="utf-8").partition("import numpy as np")[2]
    return "\n\n".join(
        [
            "",
            "import types\nimport numpy as np",
            f"reference = types.SimpleNamespace()\ndef _fill():\n{textwrap.indent(blocks, '    ')}\n"
            "    vars(reference).update(locals())\n_fill()",
            ast.unparse(definition),
            _CAST.format(target=target, mistake=definition.name),
        ]
    )


class Proof(NamedTuple):
    """What a suite did with one submission: its verdict, and the checks that did not pass."""

    verdict: Verdict

    @property
    def named(self) -> set[str]:
        """The misconceptions that failing checks named."""
        failing = (check for check in self.verdict.checks if check.status != "passed")
        return {check.misconception for check in failing if check.misconception}

    @property
    def failing(self) -> set[str]:
        """Titles of the checks that ran and did not pass."""
        return {check.name for check in self.verdict.checks if check.ran and check.status != "passed"}


def grade_text(
    exercise: Exercise, text: str, worker: Worker, seed: int | None = None, stop_after: int | None = None
) -> Proof:
    """Grade source text as a learner's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{exercise.name}.py"
        path.write_text(text, encoding="utf-8")
        return Proof(grade(exercise, path, worker, seed, stop_after=stop_after))


def variants(exercise: Exercise) -> list[Path]:
    """Right answers written differently, as the tests keep them."""
    folder = registry.project_root() / "tests" / "variants" / exercise.name
    return sorted(folder.glob("*.py"))


def problems_with(proof: Proof, misconception: Misconception) -> list[str]:
    """What is wrong with how a misconception fared; nothing when it failed under its own name only."""
    verdict = proof.verdict
    if verdict.fault:
        return [f"{misconception.id}: the grader failed: {verdict.fault}"]
    if verdict.passed:
        return [f"{misconception.id}: passes"]
    if proof.named != {misconception.id}:
        return [f"{misconception.id}: named {sorted(proof.named) or 'nothing'}"]
    return []


def prove(exercise: Exercise, worker: Worker, seed: int | None = None) -> Iterator[str]:
    """Yield everything that is wrong with a suite; nothing when it is proved."""
    solution = grade(exercise, registry.solution_file(exercise.name), worker, seed)
    if not solution.passed:
        yield f"the solution does not pass: {solution.fault or _first_failure(solution)}"
    caught: set[str] = set()
    for misconception in exercise.misconceptions.values():
        proof = grade_text(exercise, wrong_source(exercise, misconception), worker, seed)
        caught |= proof.failing
        yield from problems_with(proof, misconception)
    for path in variants(exercise):
        verdict = grade(exercise, path, worker, seed)
        if not verdict.passed:
            yield f"variant {path.stem} does not pass: {verdict.fault or _first_failure(verdict)}"
    for check in exercise.checks:
        if check.title not in caught:
            yield f"check {check.title!r} catches no misconception"


def _first_failure(verdict: Verdict) -> str:
    for check in verdict.checks:
        if check.status != "passed":
            return f"{check.name} ({check.status}): {check.message}"
    return verdict.status


def main(arguments: list[str]) -> int:
    """Prove suites from the command line: `python -m grader.proofs 3 5`, or all of them."""
    numbers = [registry.parse_name(text) for text in arguments] or registry.numbers()
    wrong = 0
    with Worker() as worker:
        for number in numbers:
            exercise = registry.load(number)
            found = list(prove(exercise, worker))
            wrong += len(found)
            counts = f"{len(exercise.misconceptions)} misconceptions, {len(exercise.checks)} checks"
            extra = f"{len(variants(exercise))} variants"
            print(f"{exercise.name}: {counts}, {extra}, {len(found)} problems")
            for problem in found:
                print(textwrap.indent(problem, "    "))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
