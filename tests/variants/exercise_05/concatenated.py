"""All pairs concatenated, one kernel of both stacked: the layer as Bahdanau et al. also write it."""

import numpy as np


def additive_attention(query, key, value, w_query, w_key, v, mask=None):
    pairs = (*query.shape[:-1], key.shape[-2])
    queries = np.broadcast_to(np.expand_dims(query, -2), (*pairs, query.shape[-1]))
    keys = np.broadcast_to(np.expand_dims(key, -3), (*pairs, key.shape[-1]))
    kernel = np.vstack([w_query, w_key])
    hidden = np.tanh(np.matmul(np.concatenate([queries, keys], axis=-1), kernel))
    scores = np.squeeze(hidden @ v[:, None], axis=-1)
    if mask is not None:
        scores = scores + np.where(mask, 0.0, -np.inf).astype(scores.dtype)
    largest = np.max(scores, axis=-1, keepdims=True)
    largest[np.isinf(largest)] = 0
    weights = np.exp(scores - largest)
    total = weights.sum(axis=-1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return weights @ value, weights
