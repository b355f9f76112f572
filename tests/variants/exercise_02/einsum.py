"""Subscripts instead of transposes."""

import numpy as np


def dot_product_attention(query, key, value):
    if query.dtype.kind != "f":
        query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
    scores = np.einsum("...qd,...kd->...qk", query, key)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("...qk,...kv->...qv", weights, value), weights
