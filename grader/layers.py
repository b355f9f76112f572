"""A Keras layer in the worker, as a check sees it: call, weights, gradients, round trips."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from grader.comparison import Tolerance, describe_type, tolerance_for
from grader.diagnosis import Comparison
from grader.exercise import Function
from grader.messages import Call, show_call
from grader.submission import CheckEnded, LayerState, wide
from grader.worker import wire

if TYPE_CHECKING:
    from grader.submission import Submission

_DIRECTIONS = 2
_STEP = 1e-5
# Twice what any exercise needs: an oracle computes with all, and one may broadcast against another.
_MAX_NUMBERS = 10_000


class Weight(msgspec.Struct, frozen=True):
    """What a layer tells of one of its weights."""

    shape: list[int]
    trainable: bool
    path: str


class RemoteLayer:
    """A layer or model that lives in the worker.

    Build it with a first call, then `randomize` its weights: from then on the oracle and the layer
    compute with the same known numbers.
    """

    def __init__(
        self, submission: Submission, name: str, config: Mapping[str, Any], handle: wire.Handle
    ) -> None:
        self.submission = submission
        self.name = name
        self.handle = handle
        self.state = LayerState(dict(config))
        self.paths = list(submission.exercise.weights.get(name, ()))

    def _request(self, op: str, **payload: Any) -> wire.Reply:
        return self.submission.request(op, target=self.handle, **payload)

    def _shown(self, args: Sequence[Any], kwargs: Mapping[str, Any], method: str = "") -> Call:
        config = ", ".join(f"{key}={value!r}" for key, value in self.state.config.items())
        ending = f".{method}" if method else ""
        target = f"{self.name}{ending}"
        known = target in self.submission.exercise.oracles
        names = self.submission.parameters(target)[1:] if known else ()  # the layer's state stands first
        return Call(f"{self.name}({config}){ending}", args, kwargs, names)

    def _value(
        self, reply: wire.Reply, args: Sequence[Any], kwargs: Mapping[str, Any], method: str = ""
    ) -> Any:
        if reply.problem is not None:
            self.submission.errored(reply.problem, self._shown(args, kwargs, method))
        return reply.value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer and return the outputs, unchecked."""
        reply = self._request("apply", method="", args=args, kwargs=kwargs)
        return self._value(reply, args, kwargs)

    def output(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Call the layer and return its only (or first) output, which must be a finite array."""
        value = self(*args, **kwargs)
        first = value[0] if isinstance(value, list) and value else value
        if not isinstance(first, np.ndarray) or first.dtype.kind not in "fiub":
            lines = [f"Expected an array of numbers; received {describe_type(first)}."]
        elif not np.all(np.isfinite(first)):
            lines = ["The output holds NaN or infinity."]
        else:
            return first
        raise CheckEnded("failed", "\n".join([*lines, *show_call(self._shown(args, kwargs))]))

    def call_method(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method ("" for the layer itself) and return its result, unchecked."""
        reply = self._request("apply", method=method, args=args, kwargs=kwargs)
        return self._value(reply, args, kwargs, method)

    def expect(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer, compare with the oracle under the layer's weights, return the outputs."""
        reply = self._request("apply", method="", args=args, kwargs=kwargs)
        return self._judge(reply, args, kwargs)

    def expect_method(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """As `expect`, for a method; its oracle is registered as "Class.method"."""
        reply = self._request("apply", method=method, args=args, kwargs=kwargs)
        return self._judge(reply, args, kwargs, method=method)

    def expect_given(self, expected: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """As `expect_method`, with the right outputs known beforehand."""
        reply = self._request("apply", method=method, args=args, kwargs=kwargs)
        return self._judge(reply, args, kwargs, method=method, view=lambda _: expected)

    def expect_viewed(self, view: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        """As `expect`, with both sides seen through a function, which hides what is free.

        Outputs that the function fails on are compared as they are.
        """
        reply = self._request("apply", method="", args=args, kwargs=kwargs)
        with contextlib.suppress(TypeError, ValueError, IndexError, AttributeError):
            reply = msgspec.structs.replace(reply, value=view(reply.value))
        return self._judge(reply, args, kwargs, view=view)

    def expect_compiled(self, *args: Any, **kwargs: Any) -> Any:
        """As `expect`, under the backend's just-in-time compiler."""
        return self._judge(self._request("compiled", args=args, kwargs=kwargs), args, kwargs)

    def expect_call_error(self, error: str, *args: Any, **kwargs: Any) -> None:
        """Require that a call raises."""
        reply = self._request("apply", method="", args=args, kwargs=kwargs)
        self.submission.check_error(reply, error, self._shown(args, kwargs))

    def _judge(
        self,
        reply: wire.Reply,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        method: str = "",
        view: Callable[[Any], Any] = lambda outputs: outputs,
    ) -> Any:
        state = self.state
        target = f"{self.name}.{method}" if method else self.name

        def compute(function: Function) -> Any:
            return view(function(state, *wide(args), **wide(kwargs)))

        expected = None
        if reply.problem is None:
            expected = self._expected(target, reply, compute, args, kwargs)
        widths = [max(weight.shape, default=1) for weight in state.weights.values()]
        return self.submission.judge_reply(
            target,
            reply,
            compute,
            self._shown(args, kwargs, method),
            dtype="float32",
            depth=max(widths, default=1),
            expected=expected,
        )

    def _expected(
        self,
        target: str,
        reply: wire.Reply,
        compute: Callable[[Function], Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Return the oracle's output; end the check where it cannot compute with weights of these shapes.

        With the reference solution's weights every oracle computes, which the tests prove.
        """
        try:
            with np.errstate(all="ignore"):
                return compute(self.submission.exercise.oracles[target])
        except (ValueError, IndexError):
            shapes = [f"  {path}: {array.shape}" for path, array in self.state.weights.items()]
            lines = ["The weights do not have the shapes that these inputs need:", *shapes]
            comparison = Comparison(
                target, compute, reply.value, tolerance_for("float32", 64), None, "weight-shapes"
            )
            message = "\n".join([*lines, *show_call(self._shown(args, kwargs))])
            raise CheckEnded("failed", message, comparison=comparison) from None

    # Weights

    def read(self, *paths: str) -> dict[str, np.ndarray]:
        """Read weights by attribute path.

        Where one is missing the check ends, its kind "unused:OWNER" (a sublayer that was never called),
        "no-weight:PATH" (the sublayer is there, this weight of it is not), "short:OWNER" (a list of layers
        is too short), "misnamed" (there is no such sublayer, and yet as many weights as there should be) or
        "no-weights" (there are fewer).
        """
        value = self._value(self._request("read", paths=list(paths)), [], {})
        if not isinstance(value, dict) or set(value) != set(paths):
            self.submission.fail(f"{self.name}: the weights could not be read.")
        for path, item in value.items():
            if isinstance(item, np.ndarray):
                continue
            owner = path.rpartition(".")[0]
            if isinstance(item, wire.Opaque) and item.type == "unbuilt":
                message = f"{owner} was made but never called, so it has no weights."
                self._end(f"unused:{owner}", message)
            if isinstance(item, wire.Opaque) and item.type == "short":
                owner = re.split(r"\.\d+\b", path)[0]
                self._end(f"short:{owner}", f"{owner} is too short: there is no {path}.")
            message = f"{self.name} has no weight {path}."
            if isinstance(item, wire.Opaque) and item.type == "weightless":
                self._end(f"no-weight:{path}", message)
            enough = len(self.inventory()) >= len(self.paths)
            self._end("misnamed" if enough else "no-weights", message)
        return value

    def _end(self, kind: str, message: str) -> None:
        """End the check with a failure that misconceptions can name by its kind."""
        comparison = Comparison("", lambda _: None, None, Tolerance(0), None, kind)
        raise CheckEnded("failed", message, comparison=comparison)

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Assign weights by attribute path, and compute with them in the oracle from now on."""
        narrow = {path: np.asarray(value, np.float32) for path, value in values.items()}
        self._value(self._request("write", values=narrow), [], {})
        self.state = replace(self.state, weights={**self.state.weights, **wide(narrow)})

    def randomize(self, rng: np.random.Generator) -> None:
        """Assign random weights (biases too) to every weight that the suite names."""
        found = self.read(*self.paths)
        if sum(weight.size for weight in found.values()) > _MAX_NUMBERS:
            shapes = ", ".join(f"{path} {weight.shape}" for path, weight in found.items())
            self.submission.fail(f"{self.name}: the weights are far larger than they should be: {shapes}.")
        if not all(weight.size for weight in found.values()):
            path = next(path for path, weight in found.items() if not weight.size)
            self.submission.fail(f"{self.name}: the weight {path} is empty.")
        values = {}
        for path, weight in found.items():
            fan_in = weight.shape[0] if weight.ndim > 1 else 4
            values[path] = rng.normal(size=weight.shape) / np.sqrt(fan_in)
        self.write(values)

    def inventory(self) -> list[Weight]:
        """List the layer's weights, in Keras's order."""
        value = self._value(self._request("weights"), [], {})
        return self.submission.shaped(value, list[Weight])

    def facts(self, *paths: str) -> dict[str, Any]:
        """Read plain attributes by path."""
        value = self._value(self._request("facts", paths=list(paths)), [], {})
        return self.submission.shaped(value, dict[str, Any])

    def fill(self, path: str, scale: float, seed: int = 0) -> int:
        """Give all weights below an attribute path random values, or zeros; return how many there are.

        For sublayers whose inside is free; the oracle does not know these weights.
        """
        value = self._value(self._request("fill", path=path, scale=float(scale), seed=seed), [], {})
        return self.submission.shaped(value, int)

    def untouched(self, *args: Any, **kwargs: Any) -> list[str]:
        """List the trainable weights that no gradient of the first output reaches."""
        value = self._value(self._request("untouched", args=args, kwargs=kwargs), args, kwargs)
        return self.submission.shaped(value, list[str])

    def masked_outputs(self, *args: Any) -> list[bool]:
        """Tell for each output whether it carries a Keras mask when the first argument does."""
        value = self._value(self._request("masked_outputs", args=args), args, {})
        return self.submission.shaped(value, list[bool])

    def heard_mask(self, *args: Any, functional: bool = False) -> Any:
        """Return the Keras mask that a layer after this one hears, None where it hears none."""
        reply = self._request("heard_mask", args=args, functional=functional)
        return self._value(reply, args, {})

    # Round trips

    def reloaded(self, *args: Any, **kwargs: Any) -> RemoteLayer:
        """Save the weights of a model around this layer and load them into one around a new one."""
        other = self._other(self._request("reloaded", args=args, kwargs=kwargs))
        other.state = replace(other.state, weights=self.state.weights)
        return other

    def rebuilt(self) -> RemoteLayer:
        """A new layer from get_config and from_config; it has no weights before its first call."""
        return self._other(self._request("rebuilt"))

    def _other(self, reply: wire.Reply) -> RemoteLayer:
        handle = self._value(reply, [], {})
        if not isinstance(handle, wire.Handle):
            self.submission.fail(f"{self.name}: get_config and from_config gave no layer.")
        return RemoteLayer(self.submission, self.name, self.state.config, handle)

    def expect_fit(self, inputs: Sequence[np.ndarray], y: np.ndarray, **options: Any) -> None:
        """Train for one batch in a functional model; the loss must be the oracle's."""
        reply = self._request("fit", inputs=list(inputs), y=y, options=options)
        loss = self._value(reply, inputs, options)
        outputs = self.submission.exercise.oracles[self.name](self.state, *wide(inputs), **wide(options))
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        expected = float(np.mean((first - y) ** 2))
        if not isinstance(loss, float) or not abs(loss - expected) <= 1e-3 * max(1.0, expected):
            self.submission.fail(
                f"In fit the mean squared error is {loss!r}; expected "
                f"{expected:.6g}. The layer computes something else there than when called."
            )

    def train(self, inputs: Any, labels: np.ndarray, *, learning_rate: float, batch_size: int) -> None:
        """Train for one pass over the data: Adam, cross-entropy of logits, label 0 not counted."""
        options = {"learning_rate": learning_rate, "batch_size": batch_size}
        reply = self._request("train", inputs=inputs, labels=labels, **options)
        if reply.problem is not None:
            self.submission.errored(reply.problem, Call(f"{self.name}(...).fit", [inputs, labels], {}))

    # Gradients

    def expect_gradients(self, rng: np.random.Generator, *args: Any, **kwargs: Any) -> None:
        """Compare the outputs, then the gradients of all named weights along random directions.

        The scalar is sum(output * cotangent) over the first output, with a random cotangent.
        """
        state, paths = self.state, self.paths
        outputs = self.expect(*args, **kwargs)
        first = outputs[0] if isinstance(outputs, list) else outputs
        cotangent = rng.normal(size=first.shape)
        directions = {
            path: rng.normal(size=(_DIRECTIONS, *state[path].shape)) / np.sqrt(state[path].size)
            for path in paths
        }
        reply = self._request(
            "gradients",
            args=args,
            kwargs=kwargs,
            cotangents=[cotangent.astype(np.float32)],
            paths=paths,
        )
        found = self._value(reply, args, kwargs)
        self._all_reached(found)
        projected = {
            path: np.stack([np.sum(found[path] * direction) for direction in directions[path]])
            for path in paths
        }

        def compute(function: Function) -> Any:
            return _projected(function, state, cotangent, directions, wide(args), wide(kwargs))

        self.submission.judge_reply(
            self.name,
            wire.Reply(value=projected, mutated=reply.mutated),
            compute,
            self._shown(args, kwargs)._replace(label=f"the gradient of {self.name}"),
            dtype="",
            depth=max(64 * 16, cotangent.size),
            common_scale=True,
        )

    def _all_reached(self, found: Any) -> None:
        good = isinstance(found, dict) and set(found) == set(self.paths)
        if not good:
            self.submission.fail(f"{self.name}: the gradients could not be read.")
        for path in self.paths:
            value = found[path]
            shape = self.state[path].shape
            if not isinstance(value, np.ndarray) or value.shape != shape:
                self._end("no-gradient", f"No gradient reaches {path}: it would never be trained.")


def _projected(
    function: Function,
    state: LayerState,
    cotangent: np.ndarray,
    directions: Mapping[str, np.ndarray],
    args: Any,
    kwargs: Any,
) -> dict[str, np.ndarray]:
    """Directional derivatives of an oracle by central differences in float64."""

    def scalar(weights: Mapping[str, np.ndarray]) -> float:
        outputs = function(replace(state, weights=weights), *args, **kwargs)
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        return float(np.sum(first * cotangent))

    result = {}
    for path, lines in directions.items():
        slopes = []
        for direction in lines:
            ahead = {**state.weights, path: state.weights[path] + _STEP * direction}
            behind = {**state.weights, path: state.weights[path] - _STEP * direction}
            slopes.append((scalar(ahead) - scalar(behind)) / (2 * _STEP))
        result[path] = np.asarray(slopes)
    return result
