"""Makes public examples: what a suite's checks do with the reference solution, on inputs of their own.

A recorder stands in for the submission that a check sees and notes every call that is compared with the
oracle. Inputs that do not depend on the seed are a hidden test's own, and never become examples; for the
few exercises that have only such, the calls are listed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from grader import registry, sources
from grader.examples import Call, Example, Layer, NotPlainError, Step, pack, shapes
from grader.exercise import Exercise
from grader.judging import check_rng
from grader.layers import RemoteLayer
from grader.sessions import Limits
from grader.submission import Submission, wide
from grader.worker.wire import Generator
from grader.workers import Worker

SEEDS = (7_340_218_553, 2_918_446_071)  # no seed of a grading is as large
_MOST = 4
_BYTES = {"numpy": 6_000, "keras": 120_000}
_CHECKS = {"numpy": 40, "keras": 6}
_SECONDS = 120.0


class RecordingError(Exception):
    """An exercise that gives no examples; the message says why."""


class Recorder(Submission):
    """A submission that notes the calls compared with the oracle."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples: list[Example] = []

    def note(self, name: str, call: tuple[Any, Any], expected: Any, **more: Any) -> None:
        """Keep a call that can be written down."""
        args, kwargs = call
        try:
            packed = Call([pack(item) for item in args], _packed(kwargs), more.pop("method", ""))
            self.examples.append(Example(name, packed, pack(expected), **more))
        except NotPlainError:
            return

    def expect(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Compare, and note what was right."""
        received = super().expect(name, *args, **kwargs)
        self.note(name, (args, kwargs), self.exercise.oracles[name](*wide(args), **wide(kwargs)))
        return received

    def new(self, name: str, **config: Any) -> Any:
        """Make a layer that notes its calls."""
        made = super().new(name, **config)
        return _RecordedLayer(self, name, config, made.handle)


class _RecordedLayer(RemoteLayer):
    """A layer that notes how it was built, and the calls compared with the oracle."""

    submission: Recorder

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.build: Call | None = None
        self.filled: list[tuple[str, float, int]] = []
        self.free = True  # nothing happened to it that an example could not repeat

    def _built_by(self, args: Sequence[Any], kwargs: Mapping[str, Any], method: str) -> None:
        try:
            packed = Call([pack(item) for item in args], _packed(kwargs), method)
            self.build = self.build or packed
        except NotPlainError:
            self.free = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._built_by(args, kwargs, "")
        return super().__call__(*args, **kwargs)

    def call_method(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method; the first call builds the layer."""
        self._built_by(args, kwargs, method)
        return super().call_method(method, *args, **kwargs)

    def fill(self, path: str, scale: float, seed: int = 0) -> int:
        """Give weights below a path random values."""
        self.filled.append((path, float(scale), seed))
        return super().fill(path, scale, seed)

    def train(self, *args: Any, **kwargs: Any) -> None:
        """Train, after which the weights are not known."""
        self.free = False
        super().train(*args, **kwargs)

    def expect(self, *args: Any, **kwargs: Any) -> Any:
        """Compare, and note what was right."""
        received = super().expect(*args, **kwargs)
        self._note("", args, kwargs)
        return received

    def expect_method(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Compare, and note what was right."""
        received = super().expect_method(method, *args, **kwargs)
        self._note(method, args, kwargs)
        return received

    def _note(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if self.build is None or not self.free:
            return
        layer = Layer(_packed(self.state.config), self.build, list(self.filled))
        more: dict[str, Any] = {"layer": layer, "method": method}
        target = f"{self.name}.{method}" if method else self.name
        expected = self.submission.exercise.oracles[target](self.state, *wide(args), **wide(kwargs))
        if set(self.state.weights) <= set(self.submission.exercise.weights.get(self.name, ())):
            weights = {path: it.astype(np.float32) for path, it in self.state.weights.items()}
            layer.weights = _packed(weights)
            self.submission.note(self.name, (args, kwargs), _shorter(expected), **more)
        else:  # right answers keep them under different paths, which the suite finds and an example cannot
            self.submission.note(self.name, (args, kwargs), shapes(expected), **more, shapes_only=True)


def _packed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: pack(item) for key, item in values.items()}


def _shorter(value: Any) -> Any:
    """A layer's right outputs with the digits that float32 can tell apart, twice as many to be sure."""
    if isinstance(value, tuple | list):
        return type(value)(_shorter(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _shorter(item) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.array([float(f"{item:.12g}") for item in value.ravel()]).reshape(value.shape)
    return value


# Running a suite


def recorded(exercise: Exercise, worker: Worker, seed: int) -> list[Example]:
    """Run the first checks on the reference solution, and return every call that can be an example."""
    path = registry.solution_file(exercise.name)
    source = sources.read(path, exercise.name, exercise.implements)
    worker.preload(exercise.kind)
    found: list[Example] = []
    session = worker.fork(Limits(seconds=_SECONDS))
    try:
        reply = session.request("load", {"parts": source.pairs(), "forbidden": []}, _SECONDS)
        if reply.problem is not None:
            raise RecordingError(f"{path} cannot be executed: {reply.problem.message}")
        shared: dict[Any, Any] = {}
        plain = [check for check in exercise.checks if not check.fresh and not check.costly]
        for check in plain[: _CHECKS[exercise.kind]]:
            submission = Recorder(exercise, session, lambda: _SECONDS, shared)
            check.run(submission, check_rng(seed, check))
            found += submission.examples
    finally:
        session.close()
    return found


def inputs(example: Example) -> str:
    """Everything that goes into an example, as text; equal for equal calls."""
    return msgspec.json.encode([example.name, example.call, example.layer]).decode()


def made(exercise: Exercise, worker: Worker) -> list[Example]:
    """Make an exercise's public examples: 2 to 4, small ones, the targets and their options in turn.

    Raises:
        RecordingError: there are fewer than two.
    """
    found = recorded(exercise, worker, SEEDS[0])
    if any(example.layer is None for example in found):  # a layer's weights are always drawn
        fixed = {inputs(example) for example in recorded(exercise, worker, SEEDS[1])}
        found = [example for example in found if inputs(example) not in fixed]
    found = [*_by_hand(exercise), *found]
    small = [each for each in found if len(msgspec.json.encode(each)) <= _BYTES[exercise.kind]]
    chosen = _chosen(small)
    if len(chosen) < 2:
        raise RecordingError(f"{exercise.name} gives {len(chosen)} of {len(found)} calls for examples")
    return chosen


def _chosen(found: Sequence[Example]) -> list[Example]:
    """First one of each target, then what has other options or shapes, in the suite's order."""
    chosen: list[Example] = []

    def take(candidates: Iterable[Example], key: Any, most: int) -> None:
        seen = {key(each) for each in chosen}
        for each in candidates:
            if len(chosen) < most and key(each) not in seen:
                chosen.append(each)
                seen.add(key(each))

    take(found, lambda each: each.target, 8)
    take(found, _options, _MOST)
    take(found, _shapes, _MOST)
    return sorted(chosen, key=found.index)


def _options(example: Example) -> tuple[Any, ...]:
    """What a call is given beside arrays: how many arguments, which keywords, which words and flags."""
    given = [*example.call.args, *example.call.kwargs.values()]
    words = [item for item in given if isinstance(item, str | bool)]
    return example.target, len(example.call.args), *sorted(example.call.kwargs), *words, example.shapes_only


def _shapes(example: Example) -> str:
    def shape(data: Any) -> Any:
        if isinstance(data, dict):
            return data["shape"] if "array" in data else {key: shape(it) for key, it in data.items()}
        return [shape(item) for item in data] if isinstance(data, list | tuple) else data

    return json.dumps([example.target, shape(example.call.args), shape(example.call.kwargs)])


# Calls whose inputs are not random in the suite, or that it does not compare as a whole


def _by_hand(exercise: Exercise) -> Iterator[Example]:
    rng = np.random.default_rng(SEEDS[0])
    if exercise.number == 11:
        yield from _encodings(exercise)
    elif exercise.number == 20:
        yield from _decodings(exercise, rng)
    elif exercise.number == 28:
        yield from _bert(rng)
        yield from _masked(rng)


def _function(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], expected: Any) -> Example:
    return Example(name, Call([pack(item) for item in args], _packed(kwargs)), pack(expected))


def _encodings(exercise: Exercise) -> Iterator[Example]:
    name = exercise.implements[0]
    for args, kwargs in (([5, 6], {}), ([4, 7], {}), ([6, 5], {"base": 50.0})):
        yield _function(name, args, kwargs, np.float32(exercise.oracles[name](*args, **kwargs)))


def _decodings(exercise: Exercise, rng: np.random.Generator) -> Iterator[Example]:
    """Decodings that differ from each other, the greedy one ended by eos."""
    greedy, beam = (exercise.oracles[name] for name in ("greedy_decode", "beam_search"))
    while True:
        step = _step(rng)
        plain, penalized = [step, 0, 0, 1, 2, 5], [step, 0, 0, 1, 3, 5]
        first, second = greedy(step, 0, 0, 1, 5), beam(*plain)
        third = beam(*penalized, length_penalty=0.8)
        lists = {tuple(tokens) for tokens in (first, second[0], third[0], beam(*penalized)[0])}
        if len(lists) == 4 and 2 <= len(first) <= 3:
            break
    yield _function("greedy_decode", [step, 0, 0, 1, 5], {}, first)
    yield _function("greedy_decode", [step, 0, 0, 1, 2], {}, greedy(step, 0, 0, 1, 2))
    yield _function("beam_search", plain, {}, second)
    yield _function("beam_search", penalized, {"length_penalty": 0.8}, third)


def _step(rng: np.random.Generator) -> Step:
    logits = 1.5 * rng.normal(size=(5, 5, 5))
    logits[..., 0] = -np.inf  # 0 is bos
    return Step(np.round(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), 3))


def _bert(rng: np.random.Generator) -> Iterator[Example]:
    """The shapes of a model: what it computes depends on what is free inside its layers."""
    sizes = {"vocab_size": 11, "num_layers": 2, "d_model": 6, "num_heads": 2, "d_ff": 7, "max_length": 8}
    tokens, segments = rng.integers(11, size=(2, 4)), rng.integers(2, size=(2, 4))
    for inputs in ([tokens, segments], [tokens[:, :3]]):
        batch, length = inputs[0].shape
        wanted = {"sequence_output": (batch, length, 6), "pooled_output": (batch, 6)}
        wanted["mlm_logits"] = (batch, length, 11)
        expected = {key: str(shape) for key, shape in wanted.items()}
        call = Call([pack(item.astype(np.int32)) for item in inputs])
        yield Example("Bert", call, pack(expected), Layer(sizes, call), shapes_only=True)


def _masked(rng: np.random.Generator) -> Iterator[Example]:
    """What is certain whatever is drawn: nothing is chosen where nothing may be."""
    tokens = rng.integers(3, 20, size=(2, 6)).astype(np.int32)
    nothing = (tokens, tokens, np.zeros(tokens.shape, np.float32))
    args = [tokens, 20, 2, [0, 1, 2], Generator(3)]
    yield _function("mask_tokens", args, {"rate": 0.0}, nothing)
    yield _function("mask_tokens", [tokens, 20, 2, list(range(20)), Generator(4)], {}, nothing)
