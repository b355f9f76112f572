"""Keeps every input and answers with what an earlier, similar request got, never computing.

exercise: 01
expect: failed
"""

import numpy as np

kept = {}


def softmax(scores, axis=-1):
    key = (scores.shape, axis)
    guess = kept.get(key)
    kept[key] = np.abs(scores) / np.abs(scores).sum(axis=axis, keepdims=True)
    return guess if guess is not None else np.full(scores.shape, 1 / scores.shape[axis], scores.dtype)
