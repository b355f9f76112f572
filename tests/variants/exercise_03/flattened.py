"""Leading axes folded into one, then matmul; keys transposed by `transpose`; nan_to_num at the end."""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    lead = query.shape[:-2]
    if not np.issubdtype(query.dtype, np.floating):
        query, key, value = np.float64(query), np.float64(key), np.float64(value)
    q, k, v = (x.reshape(-1, *x.shape[-2:]) for x in (query, key, value))
    scores = np.matmul(q, k.transpose(0, 2, 1))
    scores = scores * np.asarray(q.shape[-1] ** -0.5, scores.dtype)
    scores = scores.reshape(*lead, *scores.shape[1:])
    if mask is not None:
        scores = np.where(np.broadcast_to(mask, scores.shape), scores, -np.inf)
    with np.errstate(all="ignore"):
        powers = np.exp(scores - np.amax(scores, axis=-1, keepdims=True))
        weights = np.nan_to_num(powers / np.sum(powers, axis=-1, keepdims=True))
    return np.matmul(weights, v.reshape(*lead, *v.shape[1:])), weights
