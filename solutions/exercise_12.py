"""Exercise 12: hard attention.

Soft attention mixes all values. Hard attention picks one key per query and takes its value alone:

    mode "greedy":  index = the key with the largest score, the first one where several are equal
    mode "sample":  index = a key drawn at random, key j with probability softmax(scores)[j]
    context = the value of that key

(Xu et al. 2015, Show, Attend and Tell, section 4.1.) scores is (..., Tq, Tk), value (..., Tk, Dv); the
leading "..." axes are the same in both, none or many. Returned are context (..., Tq, Dv) and index
(..., Tq), an array of integers. Any other mode raises a ValueError.

A score of -inf hides a key: it is never chosen. A query whose scores are all -inf gets a context of zero
and the index 0, in both modes.

All randomness comes from `rng`, a numpy.random.Generator: every row is drawn on its own, and an equal
generator gives an equal result. rng=None means a fresh generator. Leave NumPy's global random state alone.

A float32 value gives a float32 context; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_12
"""

import numpy as np


def _softmax(scores):
    """Stable softmax over the last axis; a row that is all -inf gives zeros."""
    if scores.dtype.kind != "f":
        scores = scores.astype(np.float64)
    largest = np.max(scores, axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def hard_attention(scores, value, mode="greedy", rng=None):
    """Return (context, index)."""
    ### BEGIN SOLUTION
    if mode == "greedy":
        index = np.argmax(scores, axis=-1)  # (..., Tq)
    elif mode == "sample":
        if rng is None:
            rng = np.random.default_rng()
        weights = _softmax(scores)
        cumulative = np.cumsum(weights, axis=-1)  # (..., Tq, Tk)
        drawn = rng.random(size=scores.shape[:-1])[..., None] * cumulative[..., -1:]
        index = np.argmax(cumulative > drawn, axis=-1)  # the first key that passes the draw
    else:
        raise ValueError(f"mode: expected 'greedy' or 'sample'; got {mode!r}")
    if value.dtype.kind != "f":
        value = value.astype(np.float64)
    context = np.take_along_axis(value, index[..., None], axis=-2)  # (..., Tq, Dv)
    empty = np.all(np.isneginf(scores), axis=-1, keepdims=True)  # (..., Tq, 1)
    return np.where(empty, 0, context), index
    ### END SOLUTION
