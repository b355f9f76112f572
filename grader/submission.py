"""What a check sees of a submission: calls are remote, results are compared with the oracle.

A check receives a `Submission`. `expect` compares one call with the oracle; `new` builds a Keras layer and
returns a `RemoteLayer`. The first thing that is wrong ends the check.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import msgspec
import numpy as np

from grader.comparison import Tolerance, compare, tolerance_for
from grader.diagnosis import Comparison, describe
from grader.exercise import Exercise, Function
from grader.messages import Call, describe_problem, show_both_sides, show_call
from grader.sessions import Session, SessionEnded
from grader.verdict import CheckStatus
from grader.worker import wire


class CheckEnded(Exception):
    """A check that did not pass: its status, what to tell, and what diagnosis needs."""

    def __init__(
        self,
        status: CheckStatus,
        message: str,
        misconception: str | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.misconception = misconception
        self.comparison = comparison


@dataclass(frozen=True)
class Memory:
    """The most bytes above the baseline, resident and reserved, and how they ran out ("" if not)."""

    resident: int
    reserved: int
    exhausted: str = ""


@dataclass(frozen=True)
class LayerState:
    """What an oracle knows of a layer: how it was built, and its weights in float64 by path."""

    config: Mapping[str, Any]
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, path: str) -> np.ndarray:
        return self.weights[path]

    def below(self, prefix: str) -> LayerState:
        """The state of a layer within a model: the weights below a path, with paths of their own."""
        start = f"{prefix}."
        weights = {path[len(start) :]: it for path, it in self.weights.items() if path.startswith(start)}
        return replace(self, weights=weights)


def _float_dtype(values: Any) -> str:
    """float32 when every float array of a call is float32 and there is one; else float64."""
    found = {array.dtype.name for array in _arrays(values) if array.dtype.kind == "f"}
    integers = any(array.dtype.kind in "iu" for array in _arrays(values))
    return "float32" if found == {"float32"} and not integers else "float64"


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [array for item in value for array in _arrays(item)]
    return []


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, int) for item in value)


def wide(value: Any) -> Any:
    """Float64 copies of float arrays, so that an oracle computes in float64 whatever comes in."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    if isinstance(value, list | tuple):
        return type(value)(wide(item) for item in value)
    if isinstance(value, dict):
        return {key: wide(item) for key, item in value.items()}
    return value


_NEW_STATE = "cannot add new elements of state"  # Keras's words
_generator_numbers = itertools.count(1)


class Submission:
    """The judge's handle on the code in the worker, for the length of one check."""

    def __init__(
        self,
        exercise: Exercise,
        session: Session,
        deadline: Callable[[], float],
        shared: dict[Any, Any] | None = None,
    ) -> None:
        self.exercise = exercise
        self._shared = {} if shared is None else shared
        self.comparisons: list[Comparison] = []
        self._session = session
        self._deadline = deadline
        self._callbacks: dict[int, Callable[..., Any]] = {}
        self._suspect = ""

    @contextlib.contextmanager
    def suspecting(self, misconception: str) -> Iterator[None]:
        """Name what a wrong result in this block means, unless another misconception explains it."""
        self._suspect, before = misconception, self._suspect
        yield
        self._suspect = before

    def request(self, op: str, **payload: Any) -> wire.Reply:
        """Ask the worker, within what is left of the check's time. Raises SessionEnded."""
        return self._session.request(op, payload, self._deadline(), self._callbacks)

    def callback(self, function: Callable[..., Any]) -> wire.Callback:
        """Return what stands for one of the judge's functions in the arguments of a call."""
        number = len(self._callbacks) + 1
        self._callbacks[number] = function
        return wire.Callback(number)

    def seed_keras(self, seed: int) -> None:
        """Make initial weights and the order of training data in the worker a function of the seed."""
        self.request("seed", seed=seed)

    def generator(self, seed: int) -> wire.Generator:
        """Return a new `numpy.random.default_rng(seed)` of the worker, to be passed in calls."""
        return wire.Generator(seed, next(_generator_numbers))

    def global_random_state(self) -> str:
        """Return what changes whenever the worker's global NumPy generator does."""
        return str(self.request("random_state").value)

    def shaped(self, value: Any, wanted: Any) -> Any:
        """Check the type of something that the worker reports; learner code can reply in its place."""
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError:
            message = "Your code wrote to a channel that belongs to the grader."
            raise CheckEnded("crashed", message) from None

    def fail(self, message: str, misconception: str | None = None) -> None:
        """End the check as failed. Raises CheckEnded."""
        raise CheckEnded("failed", message, misconception)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function and return its result, unchecked. Raises CheckEnded when it raises."""
        reply = self.request("call", name=name, args=args, kwargs=kwargs)
        if reply.problem is not None:
            self.errored(reply.problem, self._call(name, args, kwargs))
        return reply.value

    def call_measured(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, Memory]:
        """Call a function; return its result and what it took. Raises CheckEnded when it raises.

        Running out of memory is an outcome, without a result. The kernel's marks count from the session's
        start: measure in a check that has `fresh=True`.
        """
        value, exhausted = None, ""
        try:
            reply = self.request("call", name=name, args=args, kwargs=kwargs)
        except SessionEnded as ended:
            if not ended.out_of_memory:
                raise
            exhausted = str(ended)
        else:
            value = reply.value
            if reply.problem is not None and "MemoryError" in reply.problem.bases:
                exhausted = describe_problem(reply.problem)
            elif reply.problem is not None:
                self.errored(reply.problem, self._call(name, args, kwargs))
        return value, Memory(*self._session.measure(), exhausted)

    def expect(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function and compare with the oracle; return what was received."""

        def compute(function: Function) -> Any:
            return function(*wide(args), **wide(kwargs))

        reply = self.request("call", name=name, args=args, kwargs=kwargs)
        return self.judge_reply(
            name, reply, compute, self._call(name, args, kwargs), dtype=_float_dtype([args, kwargs])
        )

    def expect_given(self, expected: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """As `expect`, with the right result known beforehand; an argument may be the judge's function.

        Results that are float32 must be float32 whatever goes in.
        """
        sent = [self.callback(item) if callable(item) else item for item in args]
        reply = self.request("call", name=name, args=sent, kwargs=kwargs)
        narrow = any(array.dtype == np.float32 for array in _arrays(expected))
        call, dtype = self._call(name, args, kwargs), "float32" if narrow else _float_dtype([args, kwargs])
        return self.judge_reply(name, reply, lambda _: expected, call, dtype=dtype)

    def expect_error(self, name: str, error: str, *args: Any, **kwargs: Any) -> None:
        """Call a function that must raise `error` (a built-in exception's name)."""
        reply = self.request("call", name=name, args=args, kwargs=kwargs)
        self.check_error(reply, error, self._call(name, args, kwargs))

    def parameters(self, target: str) -> list[str]:
        """Return the names of the oracle's parameters."""
        parameters = inspect.signature(self.exercise.oracles[target]).parameters.values()
        return [item.name for item in parameters if item.kind is not item.VAR_POSITIONAL]

    def _call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        names = self.parameters(name) if name in self.exercise.oracles else ()
        return Call(name, args, kwargs, names)

    def check_error(self, reply: wire.Reply, error: str, call: Call) -> None:
        """Require that a reply is an exception of a type."""
        if reply.problem is not None and error in reply.problem.bases:
            return
        shown = "\n".join(show_call(call))
        if reply.problem is None:
            comparison = Comparison("", lambda _: None, None, Tolerance(0), None, "no-error")
            message = f"This call must raise {error}; it returned a result.\n{shown}"
            raise CheckEnded("failed", message, comparison=comparison)
        self.errored(reply.problem, call, wanted=error)

    def errored(
        self,
        problem: wire.Problem,
        call: Call,
        wanted: str = "",
        comparison: Comparison | None = None,
    ) -> NoReturn:
        """End the check with an exception that the learner's code raised.

        Diagnosis sees the kind "error", or "new-state" where Keras refused a sublayer made in `call`.
        """
        if comparison is None:
            comparison = Comparison("", lambda _: None, problem, Tolerance(0), None, suspect=self._suspect)
        comparison = replace(comparison, kind="new-state" if _NEW_STATE in problem.message else "error")
        status: CheckStatus = "error"
        if problem.type == "PermissionError" and problem.message.endswith(
            "may not be used in this exercise"
        ):
            status = "forbidden"
        message = describe_problem(problem)
        if wanted:
            message = f"Expected {wanted}; your code raised something else.\n{message}"
        shown = "\n".join(show_call(call))
        raise CheckEnded(status, f"{message}\n{shown}", comparison=comparison)

    def judge_reply(
        self,
        target: str,
        reply: wire.Reply,
        compute: Callable[[Function], Any],
        call: Call,
        *,
        dtype: str,
        depth: int = 0,
        common_scale: bool = False,
        expected: Any = None,
    ) -> Any:
        """Compare a reply with what the oracle computes (or `expected`); record it for diagnosis.

        With `common_scale` the largest number of all outputs sets the tolerance of each.
        """
        if expected is None:
            with np.errstate(all="ignore"):
                expected = compute(self.exercise.oracles[target])
        sizes = [length for array in _arrays([call.args, call.kwargs]) for length in array.shape]
        allowed = tolerance_for(dtype or "float32", depth or max(sizes, default=1))
        if common_scale:
            floor = max(float(np.max(np.abs(array), initial=0)) for array in _arrays(expected))
            allowed = replace(allowed, floor=floor)
        received: Any = reply.value if reply.problem is None else reply.problem
        record = Comparison(target, compute, received, allowed, None, suspect=self._suspect)
        if reply.problem is not None:
            self.errored(reply.problem, call, comparison=record)
        names = self.exercise.outputs.get(target, ())
        difference = compare(expected, reply.value, dtype=dtype, allowed=allowed, names=names)
        if difference is not None:
            record = replace(record, difference=difference)
            lines = [*describe(difference), *show_call(call), *show_both_sides(difference)]
            raise CheckEnded("failed", "\n".join(lines), comparison=record)
        self.comparisons.append(record)
        self._check_mutation(reply, call, record)
        return reply.value

    def _check_mutation(self, reply: wire.Reply, call: Call, record: Comparison) -> None:
        if reply.mutated:
            which = ", ".join(reply.mutated[:5])
            lines = [f"Your code changed its input in place: {which}.", *show_call(call)]
            record = replace(record, kind="mutated")
            raise CheckEnded("failed", "\n".join(lines), comparison=record)

    def new(self, name: str, **config: Any) -> Any:
        """Construct a Keras class of the submission. Returns a `grader.layers.RemoteLayer`."""
        from grader.layers import RemoteLayer

        reply = self.request("new", name=name, args=[], kwargs=config)
        if reply.problem is not None:
            self.errored(reply.problem, Call(name, [], config))
        if not isinstance(reply.value, wire.Handle):
            self.shaped(reply.value, wire.Handle)
        return RemoteLayer(self, name, config, reply.value)

    def built(
        self, name: str, rng: np.random.Generator, *inputs: Any, method: str = "", **config: Any
    ) -> Any:
        """A layer called with these inputs, which then got random weights.

        A tuple of integers is the shape of a random array. Making a layer takes longer than all its calls,
        so the same request in another check gives the same layer: `new` gives one that nothing happened to.
        With `method` it is this method that is called.
        """
        inputs = tuple(
            rng.normal(size=item).astype(np.float32) if _is_shape(item) else item for item in inputs
        )
        shapes = tuple(array.shape for array in _arrays(inputs))
        key = (name, shapes, tuple(sorted(config.items())))
        layer = self._shared.get(key)
        if layer is None:
            layer = self.new(name, **config)
            layer.call_method(method, *inputs)
            layer.randomize(rng)
            self._shared[key] = layer
        layer.submission = self
        return layer

    def expect_new_error(self, name: str, error: str, **config: Any) -> None:
        """Require that constructing a class raises."""
        reply = self.request("new", name=name, args=[], kwargs=config)
        self.check_error(reply, error, Call(name, [], config))
