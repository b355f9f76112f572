"""Exercise 07: self-attention.

A sequence attends to itself. Three learned projections let each position ask (query), be found (key) and
answer (value):

    query = x w_query        (..., T, Dk)
    key   = x w_key          (..., T, Dk)
    value = x w_value        (..., T, Dv)
    weights = softmax(query key^T / sqrt(Dk) over the keys)    (..., T, T)
    context = weights value                                    (..., T, Dv)

(Vaswani et al. 2017, section 3.2.) x is (..., T, D) with any number of leading "..." axes, w_query and
w_key are (D, Dk), w_value is (D, Dv). With `causal=True` no position sees a later one: position i attends
to the positions 0 to i, itself included. Scores of 10000 must not overflow.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_07
"""

import numpy as np


def _softmax(scores, axis=-1):
    """Softmax as in exercise 01 (a slice of -inf gives zeros); use it as it is."""
    largest = np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def self_attention(x, w_query, w_key, w_value, causal=False):
    """Return (context, weights)."""
    ### BEGIN SOLUTION
    if x.dtype.kind != "f":
        x, w_query, w_key, w_value = (a.astype(np.float64) for a in (x, w_query, w_key, w_value))
    query, key, value = x @ w_query, x @ w_key, x @ w_value
    scale = x.dtype.type(np.sqrt(query.shape[-1]))
    scores = query @ np.swapaxes(key, -1, -2) / scale  # (..., T, T)
    if causal:
        length = x.shape[-2]
        past = np.tril(np.ones((length, length), bool))
        scores = np.where(past, scores, -np.inf)
    weights = _softmax(scores)
    context = weights @ value  # (..., T, Dv)
    return context, weights
    ### END SOLUTION
