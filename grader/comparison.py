"""Compares what a submission returned with what the oracle says; tolerances come from dtype and size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from grader.worker import wire

DifferenceKind = Literal["type", "shape", "dtype", "nan", "value"]
# Far above what another order of operations costs, far below what any misconception changes.
_RELATIVE = {"float16": 1e-2, "float32": 5e-5, "float64": 1e-8}


@dataclass(frozen=True)
class Tolerance:
    """Received may differ from expected by `relative * max(largest |expected|, floor)`, 1 for zeros."""

    relative: float
    floor: float = 0.0

    def bound(self, expected: np.ndarray) -> np.ndarray:
        """Return the allowed absolute difference per element."""
        finite = np.abs(np.where(np.isfinite(expected), expected, 0.0))
        scale = max(float(finite.max(initial=0.0)), self.floor)
        return np.full(expected.shape, self.relative * (scale if scale > 0 else 1.0))


def tolerance_for(dtype: str, depth: int) -> Tolerance:
    """Return the tolerance for a float dtype and the number of terms in the longest sum."""
    return Tolerance(_RELATIVE[dtype] * max(1.0, math.sqrt(depth / 64)))


@dataclass(frozen=True)
class Difference:
    """How an output differs: what kind, which output, and the two sides."""

    kind: DifferenceKind
    name: str
    expected: Any
    received: Any
    allowed: Tolerance


def _type_name(value: Any) -> str:
    if isinstance(value, wire.Opaque):
        return f"{value.type} {value.text}".strip()
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else f"a scalar ({value.dtype})"
    if isinstance(value, list):
        return f"{len(value)} values"
    return "None" if value is None else f"a {type(value).__name__}"


def describe_type(value: Any) -> str:
    """Say what a received value is, for messages."""
    return _type_name(value)


def _as_array(value: Any) -> np.ndarray | None:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, bool | int | float) and not isinstance(value, wire.Opaque):
        return np.asarray(value)
    return None


def pairs(expected: Any, received: Any, names: Sequence[str], name: str) -> Iterator[tuple[str, Any, Any]]:
    """Walk two structures together; yields a pair of unequal structure as it is, then stops there."""
    if isinstance(expected, tuple | list):
        if not isinstance(received, list | tuple) or len(received) != len(expected):
            yield name, expected, received
            return
        for number, (left, right) in enumerate(zip(expected, received, strict=True)):
            label = names[number] if number < len(names) else f"{name}[{number}]"
            yield from pairs(left, right, (), label)
    elif isinstance(expected, Mapping):
        if not isinstance(received, Mapping) or set(received) != set(expected):
            yield name, expected, received
            return
        for key in expected:
            yield from pairs(expected[key], received[key], (), str(key))
    else:
        yield name, expected, received


def _leaf(name: str, expected: Any, received: Any, dtype: str, allowed: Tolerance) -> Difference | None:
    def differs(kind: DifferenceKind, right: Any = received) -> Difference:
        return Difference(kind, name, expected, right, allowed)

    if expected is None or isinstance(expected, str):
        return None if type(received) is type(expected) and received == expected else differs("type")
    if isinstance(expected, tuple | list | Mapping):
        return differs("type")
    left = np.asarray(expected)
    right = _as_array(received)
    if right is None:
        return differs("type")
    if right.shape != left.shape:
        return differs("shape", right)
    if left.dtype.kind == "f":
        if right.dtype.kind not in "fiub":
            return differs("dtype", right)
        wide = right.astype(np.float64)
        with np.errstate(invalid="ignore"):
            close = (np.abs(wide - left) <= allowed.bound(left)) | (wide == left)
        if not np.all(np.isfinite(wide) | (wide == left)):
            return differs("nan", right)
        if not np.all(close):
            return differs("value", right)
        return differs("dtype", right) if dtype and right.dtype.name != dtype else None
    same_kind = right.dtype.kind == left.dtype.kind or {right.dtype.kind, left.dtype.kind} == set("iu")
    if not same_kind:
        return differs("dtype", right)
    return None if np.array_equal(left, right) else differs("value", right)


def compare(
    expected: Any,
    received: Any,
    *,
    dtype: str,
    allowed: Tolerance,
    names: Sequence[str] = (),
) -> Difference | None:
    """Return the first difference, or None when received is right.

    Args:
        expected: The oracle's output: arrays, numbers, None, or tuples and dicts of them.
        received: What came over the wire.
        dtype: Which dtype float outputs must have; "" for any float.
        allowed: The tolerance for float outputs. NaN never passes.
        names: Names of a tuple's items, for messages.
    """
    for name, left, right in pairs(expected, received, names, "the result"):
        difference = _leaf(name, left, right, dtype, allowed)
        if difference is not None:
            return difference
    return None
