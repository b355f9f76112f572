"""Subscripts; the mask as a large negative number, then zeroing."""

import numpy as np


def additive_attention(query, key, value, w_query, w_key, v, mask=None):
    left = np.einsum("...qd,da->...qa", query, w_query)
    right = np.einsum("...kd,da->...ka", key, w_key)
    hidden = np.tanh(left[..., :, None, :] + right[..., None, :, :])
    scores = np.einsum("...qka,a->...qk", hidden, v)
    if mask is not None:
        scores = np.where(mask, scores, scores.dtype.type(-1e30))
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    if mask is not None:
        powers = powers * mask
    weights = powers / np.maximum(powers.sum(axis=-1, keepdims=True), np.finfo(powers.dtype).tiny)
    return np.einsum("...qk,...kv->...qv", weights, value), weights
