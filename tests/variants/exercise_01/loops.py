"""Slice by slice, in Python."""

import math

import numpy as np


def softmax(scores, axis=-1):
    out = np.zeros(scores.shape, scores.dtype if scores.dtype.kind == "f" else np.float64)
    moved, result = np.moveaxis(scores, axis, -1), np.moveaxis(out, axis, -1)
    for index in np.ndindex(moved.shape[:-1]):
        row = [float(s) for s in moved[index]]
        top = max(row)
        if top == -math.inf:
            continue
        powers = [math.exp(s - top) for s in row]
        total = math.fsum(powers)
        for position, power in enumerate(powers):
            result[(*index, position)] = power / total
    return out
