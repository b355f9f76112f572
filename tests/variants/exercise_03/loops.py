"""Query by query, with only the keys it may see."""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    dtype = query.dtype if query.dtype.kind == "f" else np.float64
    lead, length = query.shape[:-2], query.shape[-2]
    weights = np.zeros((*lead, length, key.shape[-2]), dtype)
    context = np.zeros((*lead, length, value.shape[-1]), dtype)
    allowed = np.broadcast_to(True if mask is None else mask, weights.shape)
    for index in np.ndindex(*lead, length):
        batch, seen = index[:-1], allowed[index]
        if not seen.any():
            continue
        scores = key[batch][seen].astype(dtype) @ query[index].astype(dtype)
        scores = scores / np.sqrt(query.shape[-1])
        powers = np.exp(scores - scores.max())
        row = powers / powers.sum()
        weights[(*index, seen)] = row
        context[index] = row @ value[batch][seen]
    return context, weights
