"""Exercise 13: local attention.

Each position looks only at its neighbours, `window` to the left and `window` to the right:

    scores[i, j] = query[i] . key[j] / sqrt(D)    where |i - j| <= window, nothing elsewhere
    weights      = softmax(scores over j)
    context[i]   = sum over j of weights[i, j] value[j]

(Beltagy, Peters and Cohan 2020, Longformer, section 3.1; the idea of a local window is in Luong et al.
2015, section 3.2.) query and key are (..., T, D), value is (..., T, Dv), the result is (..., T, Dv); the
leading "..." axes are the same in all three, none or many. Positions before the first and after the last
do not exist: near the ends a query has fewer neighbours. window is 0 or more and may exceed T.

That is scaled dot-product attention under a mask, but the T x T scores must never be made: memory grows
as T * window * D. With T = 20,000, window = 64 and D = 32 in float32 the call stays within 512 MB.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_13
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


def local_attention(query, key, value, window):
    """Return the context, (..., T, Dv)."""
    ### BEGIN SOLUTION
    if query.dtype.kind != "f":
        query, key, value = (array.astype(np.float64) for array in (query, key, value))
    length, width = query.shape[-2:]
    scale = query.dtype.type(np.sqrt(width))
    context = np.empty((*query.shape[:-1], value.shape[-1]), query.dtype)
    chunk = max(64, window)  # queries at a time; their keys reach `window` further on both sides
    for start in range(0, length, chunk):
        stop = min(start + chunk, length)
        first, last = max(0, start - window), min(length, stop + window)
        queries, keys = query[..., start:stop, :], key[..., first:last, :]
        scores = queries @ np.swapaxes(keys, -1, -2) / scale  # (..., stop - start, last - first)
        offset = np.arange(first, last) - np.arange(start, stop)[:, None]
        scores = np.where(np.abs(offset) <= window, scores, -np.inf)
        context[..., start:stop, :] = _softmax(scores) @ value[..., first:last, :]
    return context
    ### END SOLUTION
