"""Says what is wrong with an output: the misconception that gives exactly it, else what can be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grader.comparison import Difference, Tolerance, compare, describe_type
from grader.exercise import Exercise, Function, Misconception
from grader.worker.wire import Generator, Problem

_SHOWN_NUMBERS = 40
# What NumPy, TensorFlow, JAX and torch raise for shapes that do not fit.
_SHAPE_ERRORS = frozenset(["ValueError", "InvalidArgumentError", "TypeError", "RuntimeError"])


@dataclass(frozen=True)
class Raised:
    """The outcome of a call that raised."""

    type: str
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One comparison made during a check, kept so that misconceptions can be tried on it.

    `compute` applies an implementation (the oracle, or a misconception's function) to the same input.
    """

    target: str
    compute: Callable[[Function], Any]
    received: Any
    allowed: Tolerance
    difference: Difference | None
    kind: str = ""  # how it failed, where there is no difference: "mutated", "error", ...
    suspect: str = ""  # the misconception that a failure here means, if no other explains it


def outcome(compute: Callable[[Function], Any], function: Function) -> Any:
    """Return what a misconception gives, an exception becoming `Raised`."""
    try:
        with np.errstate(all="ignore"):
            return compute(function)
    except Exception as error:  # some mistakes raise: that is their outcome
        kind = type(error)
        return Raised(kind.__name__, tuple(base.__name__ for base in kind.__mro__))


def _gives(misconception: Misconception, comparison: Comparison) -> bool:
    function = misconception.functions.get(comparison.target)
    if function is None:
        return False
    predicted = outcome(comparison.compute, function)
    received = comparison.received
    if isinstance(predicted, Raised) or isinstance(received, Problem):
        if not isinstance(predicted, Raised) or not isinstance(received, Problem):
            return False
        if predicted.type in _SHAPE_ERRORS and received.type in _SHAPE_ERRORS:
            return True
        return received.type in predicted.bases or predicted.type in received.bases
    return _equal(predicted, received, comparison.allowed)


def _fits(misconception: Misconception, comparison: Comparison) -> bool:
    """Whether a comparison is as the misconception has it: right, where it does not show at all."""
    if comparison.target not in misconception.functions:
        return comparison.difference is None and not comparison.kind
    return _gives(misconception, comparison)


def _equal(predicted: Any, received: Any, allowed: Tolerance) -> bool:
    """Like `compare`, but NaN and infinity equal themselves: mistakes may well produce them."""
    if isinstance(predicted, tuple | list):
        return (
            isinstance(received, list | tuple)
            and len(received) == len(predicted)
            and all(_equal(a, b, allowed) for a, b in zip(predicted, received, strict=True))
        )
    if isinstance(predicted, Mapping):
        return (
            isinstance(received, Mapping)
            and set(predicted) == set(received)
            and all(_equal(predicted[key], received[key], allowed) for key in predicted)
        )
    if isinstance(predicted, np.ndarray) and isinstance(received, np.ndarray):
        if predicted.shape != received.shape or received.dtype.kind not in "fiub":
            return False
        left, right = predicted.astype(np.float64), received.astype(np.float64)
        both = np.isfinite(left) & np.isfinite(right)
        if not np.array_equal(left[~both], right[~both], equal_nan=True):
            return False
        left, right = left[both], right[both]
    else:
        left, right = predicted, received
    return compare(left, right, dtype="", allowed=allowed) is None


def explain(exercise: Exercise, failure: Comparison, others: Sequence[Comparison]) -> Misconception | None:
    """Return the misconception that explains a failure, None when none does.

    Where several give the same wrong output on this input, the one that explains most of everything
    else the submission returned wins, then the one declared first.
    """
    kind = failure.kind or (failure.difference.kind if failure.difference is not None else "")
    found = [item for item in exercise.misconceptions.values() if kind in item.on]
    if found or kind in ("dtype", "mutated"):  # all values are right: no computation is to blame
        return found[0] if found else None
    found = [item for item in exercise.misconceptions.values() if _gives(item, failure)]
    same = [other for other in others if other.target == failure.target]
    right = [other for other in same if other.difference is None and not other.kind]
    if isinstance(failure.received, Problem):
        # An exception of the same kind is weak evidence: something was right, and all of that fits too.
        found = [item for item in found if right and all(_gives(item, other) for other in right)]
    if not found and failure.suspect:
        return exercise.misconceptions[failure.suspect]
    if len(found) < 2:
        return found[0] if found else None
    # The first of equals.
    return max(found, key=lambda item: sum(_fits(item, other) for other in others))


# What can be said without a misconception


def show(value: Any) -> str:
    """Print a value for a person: small arrays whole, large ones by shape and range."""
    if isinstance(value, np.ndarray):
        if value.size <= _SHOWN_NUMBERS:
            return np.array2string(value, precision=4, suppress_small=True, separator=", ")
        if value.dtype.kind in "fiu" and np.all(np.isfinite(value)):
            span = f", from {value.min():.4g} to {value.max():.4g}"
        else:
            span = ""
        return f"array of shape {value.shape}, {value.dtype}{span}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list) and value and any(isinstance(v, np.ndarray) for v in value):
        return "(" + ", ".join(show(item) for item in value) + ")"
    if isinstance(value, Mapping) and any(isinstance(item, np.ndarray) for item in value.values()):
        shown = [
            f"{key!r}: " + show(item).replace("\n", "\n" + " " * (len(repr(key)) + 3))
            for key, item in value.items()
        ]
        return "{" + ",\n ".join(shown) + "}"
    if isinstance(value, Generator):
        return f"numpy.random.default_rng({value.seed})"
    return repr(value)


def _shape_observation(expected: np.ndarray, received: np.ndarray) -> str:
    if received.ndim >= 2 and expected.shape == np.swapaxes(received, -1, -2).shape:
        return "The shape is right once the last two axes are swapped."
    if expected.size == received.size and [n for n in expected.shape if n > 1] == [
        n for n in received.shape if n > 1
    ]:
        return "Only axes of length 1 differ: one is missing or too many (see keepdims, squeeze)."
    if received.ndim < expected.ndim and received.shape == expected.shape[-received.ndim :]:
        return "The leading (batch) axes are missing."
    return ""


def _sums_to_one(array: np.ndarray, axis: int) -> bool:
    sums = array.sum(axis=axis)
    return bool(np.all(np.abs(sums - 1) < 1e-3))


def _value_observation(expected: np.ndarray, received: np.ndarray, allowed: Tolerance) -> str:
    def same(left: np.ndarray) -> bool:
        return left.shape == expected.shape and bool(
            np.all(np.abs(left - expected) <= allowed.bound(expected))
        )

    if expected.ndim >= 2:
        if same(np.swapaxes(received, -1, -2)):
            return "The values are right once the last two axes are swapped."
        if _sums_to_one(expected, -1) and not _sums_to_one(received, -1):
            other = " The columns do." if _sums_to_one(received, -2) else ""
            return f"The rows (last axis) should sum to 1 and do not.{other}"
    if same(-received):
        return "The sign is reversed."
    strong = np.abs(expected) > allowed.bound(expected)
    if expected.size > 1 and np.any(strong):
        ratios = received[strong] / expected[strong]
        factor = float(np.median(ratios))
        if factor and np.isfinite(factor) and abs(factor - 1) > 0.01 and same(received / factor):
            return f"Every number is {factor:.4g} times what it should be."
    offsets = received - expected
    if expected.size > 1 and same(received - offsets.flat[0]):
        return f"Every number is off by the same {offsets.flat[0]:.4g}."
    right = np.abs(offsets) <= allowed.bound(expected)
    if np.any(right):
        return f"{int(right.sum())} of {right.size} numbers are right."
    return ""


def _not_finite(received: np.ndarray) -> str:
    wrong = ~np.isfinite(received)
    where = np.argwhere(wrong)
    kinds = "NaN" if np.any(np.isnan(received)) else "infinity"
    if wrong.all():
        return f"Every number is {kinds}."
    first = ", ".join(str(int(number)) for number in where[0])
    return f"{kinds} at {len(where)} of {wrong.size} places, the first at [{first}]."


def _where(index: Sequence[Any]) -> str:
    return f" at [{', '.join(str(int(number)) for number in index)}]" if len(index) else ""


def describe(difference: Difference) -> list[str]:
    """Return lines that describe a difference in general terms."""
    name, expected, received = difference.name, difference.expected, difference.received
    if difference.kind == "type":
        wanted = describe_type(np.asarray(expected) if np.isscalar(expected) else expected)
        if isinstance(expected, tuple):
            wanted = f"{len(expected)} values"
        hint = " Is there a `return` on every path?" if received is None else ""
        return [f"{name}: expected {wanted}; received {describe_type(received)}.{hint}"]
    if difference.kind == "shape":
        expected = np.asarray(expected)
        lines = [f"{name}: expected shape {expected.shape}; received shape {received.shape}."]
        return [*lines, *filter(None, [_shape_observation(expected, received)])]
    if difference.kind == "dtype":
        wanted = "" if np.asarray(expected).dtype.kind == "f" else f" {np.asarray(expected).dtype}"
        if not wanted:
            return [
                f"{name}: the values are right, the dtype is not: received {received.dtype}. "
                "float32 in gives float32 out, float64 and integers give float64."
                if received.dtype.kind == "f"
                else f"{name}: expected floating-point numbers; received {received.dtype}."
            ]
        return [f"{name}: expected dtype{wanted}; received {received.dtype}."]
    left, right = np.asarray(expected), np.asarray(received)
    if left.dtype.kind == "b":
        return _describe_booleans(name, left, right)
    if difference.kind == "nan":
        return [f"{name}: {_not_finite(right.astype(np.float64))}"]
    return _describe_values(name, left, right, difference.allowed)


def _describe_booleans(name: str, expected: np.ndarray, received: np.ndarray) -> list[str]:
    wrong = np.argwhere(expected != received)
    first = tuple(wrong[0])
    sides = f"expected {bool(expected[first])}, received {bool(received[first])}"
    return [f"{name}: {len(wrong)} of {expected.size} entries are wrong. First{_where(first)}: {sides}."]


def _describe_values(
    name: str, expected: np.ndarray, received: np.ndarray, allowed: Tolerance
) -> list[str]:
    left, right = expected.astype(np.float64), received.astype(np.float64)
    excess = np.abs(right - left) - allowed.bound(left)
    worst = np.unravel_index(int(np.argmax(excess)), excess.shape)
    bound, off = float(allowed.bound(left)[worst]), abs(float(right[worst] - left[worst]))
    lines = [
        f"{name}: wrong values. Worst{_where(worst)}: expected {left[worst]:.6g}, "
        f"received {right[worst]:.6g}; off by {off:.2g} (tolerance {bound:.1g})."
    ]
    return [*lines, *filter(None, [_value_observation(left, right, allowed)])]
