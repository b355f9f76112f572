"""x (w_query w_key^T) x^T, a large finite number for the future, and log-sum-exp."""

import numpy as np


def self_attention(x, w_query, w_key, w_value, causal=False):
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    form = np.matmul(w_query, w_key.T).astype(x.dtype)  # (D, D)
    scores = np.matmul(np.matmul(x, form), np.moveaxis(x, -1, -2))
    scores = scores / np.sqrt(w_query.shape[1], dtype=x.dtype)
    if causal:
        places = np.arange(x.shape[-2])
        scores = np.where(places[:, None] >= places, scores, np.asarray(-1e30, x.dtype))
    shifted = scores - np.max(scores, axis=-1, keepdims=True)
    weights = np.exp(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))
    return np.matmul(np.matmul(weights, x), w_value.astype(x.dtype)), weights
