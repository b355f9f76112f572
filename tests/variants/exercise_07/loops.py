"""One position at a time, over the positions it may see."""

import math

import numpy as np


def self_attention(x, w_query, w_key, w_value, causal=False):
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype("float64")
    *lead, length, _ = x.shape
    weights = np.zeros((*lead, length, length), dtype)
    context = np.zeros((*lead, length, w_value.shape[1]), dtype)
    for place in np.ndindex(*lead):
        queries, keys, values = x[place] @ w_query, x[place] @ w_key, x[place] @ w_value
        for i in range(length):
            seen = i + 1 if causal else length
            scores = [np.dot(queries[i], keys[j]) / math.sqrt(w_key.shape[1]) for j in range(seen)]
            powers = [math.exp(score - max(scores)) for score in scores]
            for j, power in enumerate(powers):
                weights[(*place, i, j)] = power / sum(powers)
            context[(*place, i)] = weights[(*place, i)][:seen] @ values[:seen]
    return context, weights
