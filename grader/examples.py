"""Public examples: calls with their right results, as data. They grade where there are no suites.

In the learners' edition `grader/public/exercise_NN.json` holds everything the grader knows of an exercise.
The code that is graded runs in the confined worker here too, and is compared by the same rules.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from grader.exercise import Check, Exercise, Function, Kind
from grader.worker.wire import Generator

if TYPE_CHECKING:
    from grader.submission import Submission


_generator_numbers = itertools.count(10**6)  # a generator of its own at every call


class NotPlainError(TypeError):
    """A value that cannot be written down as data."""


class Call(msgspec.Struct, omit_defaults=True):
    """Packed arguments; `method` is "" for a function, and for a layer itself."""

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    method: str = ""

    def unpacked(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as values."""
        return [unpack(item) for item in self.args], {key: unpack(it) for key, it in self.kwargs.items()}


class Layer(msgspec.Struct, omit_defaults=True):
    """How a layer is made before the call: its arguments, a first call, and then its weights.

    `filled` are sublayers whose inside is free: the path, the scale and the seed of their random weights.
    """

    config: dict[str, Any]
    build: Call
    filled: list[tuple[str, float, int]] = []
    weights: dict[str, Any] = {}


class Example(msgspec.Struct, omit_defaults=True):
    """A call of `name`, a function or a class, and what it must return: values, or their shapes alone."""

    name: str
    call: Call
    expected: Any
    layer: Layer | None = None
    shapes_only: bool = False

    @property
    def target(self) -> str:
        """What is called: a function, a class or "Class.method"."""
        return f"{self.name}.{self.call.method}" if self.call.method else self.name


class Public(msgspec.Struct, omit_defaults=True):
    """All that is public of an exercise; the fields are those of `Exercise`, and the stub."""

    number: int
    title: str
    kind: Kind
    implements: list[str]
    hints: list[str]
    stub: str
    examples: list[Example]
    outputs: dict[str, list[str]] = {}
    forbidden: list[str] = []
    part: str = ""
    lesson: str = ""
    minutes: int = 15
    difficulty: int = 1
    seconds: float = 5.0
    memory_mib: int = 1024


# Values as data


def pack(value: Any) -> Any:
    """Write a value as JSON has it. Raises NotPlainError for what is no data."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiub":
            raise NotPlainError(f"an array of dtype {value.dtype}")
        numbers = [_number(item) for item in value.ravel()]
        return {"array": _nested(numbers, value.shape), "shape": value.shape, "dtype": value.dtype.name}
    if isinstance(value, np.generic):
        return pack(value.item())
    if isinstance(value, Generator):
        return {"generator": value.seed}
    if isinstance(value, Step):
        return {"step": pack(value.table)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        packed = [pack(item) for item in value]
        return {"tuple": packed} if isinstance(value, tuple) else packed
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: pack(item) for key, item in value.items()}}
    raise NotPlainError(f"a {type(value).__name__}")


def _number(item: Any) -> Any:
    """A number with no more digits than its precision needs; what JSON has no number for in words."""
    if item.dtype.kind != "f":
        return item.item()
    return float(str(item)) if np.isfinite(item) else str(item)


def _nested(numbers: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return numbers[0]
    size = math.prod(shape[1:])
    return [_nested(numbers[size * row : size * (row + 1)], shape[1:]) for row in range(shape[0])]


def unpack(data: Any) -> Any:
    """Return the value that `pack` wrote."""
    if isinstance(data, list):
        return [unpack(item) for item in data]
    if not isinstance(data, dict):
        return data
    if "array" in data:
        return np.array(data["array"], dtype=data["dtype"]).reshape(data["shape"])
    if "step" in data:
        return Step(unpack(data["step"]))
    if "generator" in data:
        return Generator(data["generator"], next(_generator_numbers))
    if "float" in data:
        return float(data["float"])
    if "tuple" in data:
        return tuple(unpack(item) for item in data["tuple"])
    return {key: unpack(item) for key, item in data["dict"].items()}


class Step:
    """A decoder's `step(token, state)` that reads a table: log probabilities by time, last token, token.

    The state is the time. Submissions may call it with anything; the first wrong call is kept.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        self.problem = ""

    def __repr__(self) -> str:
        return f"a step with V={self.table.shape[-1]}"

    def __call__(self, *args: Any) -> list[Any]:
        """Return the next token's log probabilities and the next state."""
        try:
            token, time = (int(np.asarray(item)) for item in args)
            if not 0 <= token < self.table.shape[1] or time < 0:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            shown = ", ".join(repr(item)[:100] for item in args)
            self.problem = self.problem or f"step(token, state) was called with ({shown})."
            token = time = 0
        return [self.table[min(time, len(self.table) - 1), token].copy(), time + 1]


# Grading by examples


@cache
def read(path: Path) -> Public:
    """Read an exercise's file."""
    return msgspec.json.decode(path.read_bytes(), type=Public)


def load(path: Path) -> Exercise:
    """Return an exercise whose checks are its public examples."""
    public = read(path)
    own = {"stub", "examples"}
    fields = {name: getattr(public, name) for name in public.__struct_fields__ if name not in own}
    exercise = Exercise(**fields, examples_only=True)
    for example in public.examples:
        exercise.oracles[example.target] = _signature_only(public.stub, example)
    for number, example in enumerate(public.examples, start=1):
        title = f"example {number}: {_shown(exercise, example)}"
        exercise.checks.append(Check(title, _runs(example)))
    return exercise


def _signature_only(stub: str, example: Example) -> Function:
    """What stands for an oracle: it has its parameters' names, for messages, and none of its results."""

    def known(*args: Any, **kwargs: Any) -> None:
        return None

    names = _parameters(stub, example.name, example.call.method)
    if example.layer is not None and "self" not in names:
        names.insert(0, "self")  # the layer's state stands first
    kinds = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    known.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    return known


def _parameters(stub: str, name: str, method: str) -> list[str]:
    """Read the names of a function's parameters, or those of a class's method, from the stub."""
    for node in ast.parse(stub).body:
        found: ast.AST | None = node
        if isinstance(node, ast.ClassDef) and node.name == name:
            named = (it for it in node.body if isinstance(it, ast.FunctionDef))
            found = next((it for it in named if it.name == (method or "call")), None)
        elif getattr(node, "name", "") != name:
            continue
        if isinstance(found, ast.FunctionDef):
            arguments = found.args
            return [it.arg for it in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return []


def _shown(exercise: Exercise, example: Example) -> str:
    """A call in a line: the names of its arguments."""
    names = list(inspect.signature(exercise.oracles[example.target]).parameters)
    names = names[1:] if example.layer is not None else names
    given = [*names[: len(example.call.args)], *example.call.kwargs]
    return f"{example.target}({', '.join(given)})"


def _runs(example: Example) -> Callable[[Submission, np.random.Generator], None]:
    def run(submission: Submission, rng: np.random.Generator) -> None:
        if example.layer is not None:
            _run_layer(submission, example, example.layer)
            return
        args, kwargs = example.call.unpacked()
        steps = [item for item in args if isinstance(item, Step)]
        submission.expect_given(unpack(example.expected), example.name, *args, **kwargs)
        for problem in (step.problem for step in steps if step.problem):
            submission.fail(problem)

    return run


def _run_layer(submission: Submission, example: Example, layer: Layer) -> None:
    made = submission.new(example.name, **{key: unpack(item) for key, item in layer.config.items()})
    args, kwargs = layer.build.unpacked()
    made.call_method(layer.build.method, *args, **kwargs)
    for path, scale, seed in layer.filled:
        made.fill(path, scale, seed)
    weights = {path: unpack(item) for path, item in layer.weights.items()}
    wrong = list(_misshapen(made.read(*weights), weights))
    if wrong:
        submission.fail("\n".join(["Weights of another shape than these inputs need:", *wrong]))
    if weights:
        made.write(weights)
    args, kwargs = example.call.unpacked()
    wanted = unpack(example.expected)
    if not example.shapes_only:
        made.expect_given(wanted, example.call.method, *args, **kwargs)
        return
    received = shapes(made.call_method(example.call.method, *args, **kwargs))
    if received != wanted:
        submission.fail(f"Expected the shapes {wanted}; received {received}.")


def shapes(value: Any) -> Any:
    """Return a structure with each array's shape in its place, and None for what is no array."""
    if isinstance(value, Mapping):
        return {key: shapes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shapes(item) for item in value]
    return str(value.shape) if isinstance(value, np.ndarray) else None


def _misshapen(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> Iterator[str]:
    for path, weight in wanted.items():
        if found[path].shape != weight.shape:
            yield f"  {path}: expected {weight.shape}; found {found[path].shape}"
