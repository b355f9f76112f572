"""Draws matrices of attention weights as heat maps, in SVG that fits light and dark pages."""

from __future__ import annotations

import html
from typing import NamedTuple

import numpy as np

from grader.comparison import pairs
from grader.diagnosis import Comparison, Raised, outcome
from grader.exercise import Exercise

_MOST = 24  # rows and columns that are drawn
_NUMBERS = 8  # up to so many columns the numbers stand in the cells
_BLUE, _RED = "#3b82f6", "#ef4444"


class Weights(NamedTuple):
    """One matrix of attention weights (queries, keys): the learner's and the right one."""

    name: str
    received: np.ndarray
    expected: np.ndarray

    @property
    def right(self) -> bool:
        """Whether both are the same, as far as one can see."""
        return bool(np.allclose(self.received, self.expected, atol=1e-4))


def weights_in(exercise: Exercise, comparison: Comparison | None) -> Weights | None:
    """Return the weights that a call returned; None where it returned none of the right shape.

    An output is taken for weights when the right one is: at least two axes, nothing negative, and rows that
    sum to 1, or to 0 where nothing may be attended to. Of a batch or of heads the worst one is taken.
    """
    if comparison is None or comparison.target not in exercise.oracles:
        return None
    expected = outcome(comparison.compute, exercise.oracles[comparison.target])
    if isinstance(expected, Raised):
        return None
    names = exercise.outputs.get(comparison.target, ())
    for name, right, received in pairs(expected, comparison.received, names, "the result"):
        if _are_weights(right) and isinstance(received, np.ndarray) and received.shape == right.shape:
            if received.dtype.kind in "fiu":
                return _worst(name, received.astype(np.float64), right)
    return None


def _are_weights(value: object) -> bool:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim < 2 or not value.size:
        return False
    sums = value.sum(axis=-1)
    rows = np.isclose(sums, 1) | (sums == 0)
    return value.shape[-1] > 1 and bool(np.all(value >= 0) and np.all(rows) and np.any(sums))


def _worst(name: str, received: np.ndarray, expected: np.ndarray) -> Weights:
    lead = expected.shape[:-2]
    off = np.abs(received - expected)
    off = np.where(np.isfinite(off), off, np.inf).reshape(-1, expected.shape[-2] * expected.shape[-1])
    index = np.unravel_index(int(off.max(axis=1).argmax()), lead) if lead else ()
    label = f"{name}[{', '.join(map(str, index))}]" if index else name
    return Weights(label, received[index], expected[index])


def heat_maps(weights: Weights) -> str:
    """Return a row of figures: yours, and where they differ also the expected ones and the difference."""
    rows, columns = weights.expected.shape
    size = f"{rows} rows, {columns} columns; each row sums to 1"
    if "weight" in weights.name:
        size = f"{rows} queries, {columns} keys; a row is a query"
    yours = f"your {weights.name.removeprefix('the ')}"
    if weights.right:
        figures = [_figure(yours, weights.received, 1.0)]
    else:
        difference = weights.received - weights.expected
        most = float(np.max(np.abs(difference), where=np.isfinite(difference), initial=0.0)) or 1.0
        figures = [
            _figure(yours, weights.received, 1.0),
            _figure("expected", weights.expected, 1.0),
            _figure("yours − expected", difference, most, signed=True),
        ]
    return f'<div class="pictures">{"".join(figures)}</div><div class="small">{size}</div>'


def _figure(title: str, matrix: np.ndarray, most: float, *, signed: bool = False) -> str:
    rows, columns = (min(length, _MOST) for length in matrix.shape)
    numbers = columns <= _NUMBERS
    width, height = (40, 22) if numbers else (max(8, 240 // columns), max(8, 240 // columns))
    cells = []
    for row in range(rows):
        for column in range(columns):
            value = float(matrix[row, column])
            cells.append(
                _cell(value, most, signed, (column * width, row * height), (width, height), numbers)
            )
    cut = "" if (rows, columns) == matrix.shape else f" (the first {rows} × {columns})"
    label = html.escape(title + cut)
    size = f'width="{columns * width}" height="{rows * height}"'
    return (
        f'<figure><figcaption>{label}</figcaption><svg role="img" aria-label="{label}" {size} '
        f'viewBox="0 0 {columns * width} {rows * height}">{"".join(cells)}</svg></figure>'
    )


def _cell(
    value: float,
    most: float,
    signed: bool,
    corner: tuple[int, int],
    size: tuple[int, int],
    number: bool,
) -> str:
    """One cell: the colour's strength is the number's size; what is no number is said in words."""
    (left, top), (width, height) = corner, size
    finite = np.isfinite(value)
    colour = _BLUE if finite and (value >= 0) != signed else _RED
    strength = min(abs(value) / most, 1.0) if finite else 1.0
    shown = f"{value:+.2f}" if signed else f"{value:.2f}"
    exact = f"{value:.6g}"
    text = ""
    if number or not finite:
        text = (
            f'<text x="{left + width / 2:g}" y="{top + height / 2:g}" text-anchor="middle" '
            f'dominant-baseline="central">{shown}</text>'
        )
    return (
        f'<g><title>{exact}</title><rect x="{left}" y="{top}" width="{width}" height="{height}" '
        f'fill="{colour}" fill-opacity="{0.85 * strength:.3f}"/>{text}</g>'
    )
