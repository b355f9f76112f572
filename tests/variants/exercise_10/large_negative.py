"""Masked by the most negative number, then zeroed; the scale sits on the query."""

import numpy as np


def multi_head_attention(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    width = w_query.shape[-1]
    if width % num_heads != 0:
        raise ValueError("width % num_heads")
    if not np.issubdtype(query.dtype, np.floating):
        query = query.astype(np.float64)
        key = key.astype(np.float64)
        value = value.astype(np.float64)

    def split(x):
        return np.moveaxis(x.reshape((*x.shape[:-1], num_heads, width // num_heads)), -2, -3)

    q = split(np.matmul(query, w_query)) * query.dtype.type((width // num_heads) ** -0.5)
    k, v = split(np.matmul(key, w_key)), split(np.matmul(value, w_value))
    scores = np.matmul(q, k.swapaxes(-2, -1))
    if mask is not None:
        while mask.ndim < scores.ndim - 1:
            mask = mask[np.newaxis]
        if mask.ndim < scores.ndim:
            mask = np.expand_dims(mask, axis=-3)
        scores = np.where(mask, scores, np.finfo(scores.dtype).min)
    scores = scores - scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    if mask is not None:
        weights = weights * mask
    merged = np.moveaxis(np.matmul(weights, v), -3, -2)
    return np.matmul(merged.reshape((*merged.shape[:-2], width)), w_output), weights
