"""Forbidden scores become very negative, their weights are zeroed afterwards."""

import numpy as np


def cross_attention(x, memory, w_query, w_key, w_value, w_output, mask=None):
    if not np.issubdtype(x.dtype, np.floating):
        x, memory = x.astype("float64"), memory.astype("float64")
    query, key, value = np.matmul(x, w_query), np.matmul(memory, w_key), np.matmul(memory, w_value)
    scores = np.matmul(query, np.moveaxis(key, -1, -2))
    scores *= key.shape[-1] ** -0.5
    allowed = np.ones(1, bool) if mask is None else mask
    scores = np.where(allowed, scores, np.finfo(scores.dtype).min)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True)) * allowed
    total = weights.sum(axis=-1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total != 0)
    return np.matmul(np.matmul(weights, value), w_output), weights
