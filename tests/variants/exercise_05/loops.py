"""One query at a time over the keys it may see."""

import numpy as np


def additive_attention(query, key, value, w_query, w_key, v, mask=None):
    dtype = query.dtype if query.dtype.kind == "f" else np.dtype(float)
    shape = (*query.shape[:-1], key.shape[-2])
    allowed = np.ones(shape, bool) if mask is None else np.broadcast_to(mask, shape)
    weights = np.zeros(shape, dtype)
    context = np.zeros((*query.shape[:-1], value.shape[-1]), dtype)
    for place in np.ndindex(*query.shape[:-1]):
        projected = query[place] @ w_query
        seen = [k for k in range(shape[-1]) if allowed[(*place, k)]]
        if not seen:
            continue
        scores = [np.dot(v, np.tanh(projected + key[(*place[:-1], k)] @ w_key)) for k in seen]
        powers = np.exp(np.array(scores) - max(scores))
        for k, weight in zip(seen, powers / powers.sum(), strict=True):
            weights[(*place, k)] = weight
            context[place] += weights[(*place, k)] * value[(*place[:-1], k)]
    return context, weights
