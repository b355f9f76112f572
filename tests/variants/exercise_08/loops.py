"""One query at a time, sums written out; leading axes are visited one by one."""

import numpy as np


def _attend(query, keys, values, allowed):
    weights = np.zeros(len(keys), query.dtype)
    scores = {
        k: np.dot(query, keys[k]) / np.sqrt(query.dtype.type(len(query))) for k in np.flatnonzero(allowed)
    }
    if scores:
        top = max(scores.values())
        for k, score in scores.items():
            weights[k] = np.exp(score - top)
        weights /= weights.sum()
    return weights @ values, weights


def cross_attention(x, memory, w_query, w_key, w_value, w_output, mask=None):
    if x.dtype.kind in "iu":
        x, memory = x.astype(float), memory.astype(float)
    shape = (*x.shape[:-1], memory.shape[-2])
    allowed = np.broadcast_to(True if mask is None else mask, shape)
    weights = np.empty(shape, x.dtype)
    output = np.empty((*x.shape[:-1], w_output.shape[1]), x.dtype)
    for place in np.ndindex(*x.shape[:-2]):
        keys, values = memory[place] @ w_key, memory[place] @ w_value
        for t, row in enumerate(x[place]):
            context, weights[(*place, t)] = _attend(row @ w_query, keys, values, allowed[(*place, t)])
            output[(*place, t)] = context @ w_output
    return output, weights
