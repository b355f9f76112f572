"""One query at a time, with explicit loops."""

import numpy as np


def dot_product_attention(query, key, value):
    dtype = query.dtype if query.dtype.kind == "f" else np.dtype("float64")
    weights = np.zeros((*query.shape[:-1], key.shape[-2]), dtype)
    context = np.zeros((*query.shape[:-1], value.shape[-1]), dtype)
    for place in np.ndindex(*query.shape[:-1]):
        keys, values = key[place[:-1]], value[place[:-1]]
        scores = [float(np.sum(query[place] * keys[k])) for k in range(len(keys))]
        largest = max(scores)
        powers = [np.exp(score - largest) for score in scores]
        for k, power in enumerate(powers):
            weights[(*place, k)] = power / sum(powers)
            context[place] += weights[(*place, k)] * values[k]
    return context, weights
