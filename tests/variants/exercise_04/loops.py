"""One pair of query and key at a time."""

import math

import numpy as np


def _score(query, key, kind, w):
    if kind == "general":
        return sum(query[i] * w[i, j] * key[j] for i in range(len(query)) for j in range(len(key)))
    dot = sum(a * b for a, b in zip(query, key, strict=True))
    if kind == "scaled_dot":
        return dot / math.sqrt(len(query))
    if kind == "cosine":
        lengths = math.sqrt(sum(a * a for a in query)) * math.sqrt(sum(b * b for b in key))
        return dot / lengths if lengths else 0.0
    return dot


def attention_scores(query, key, kind="scaled_dot", w=None):
    if kind not in {"dot", "scaled_dot", "general", "cosine"}:
        raise ValueError(f"kind {kind}")
    if kind == "general" and w is None:
        raise ValueError("w is missing")
    dtype = query.dtype if query.dtype.kind == "f" else np.float64
    scores = np.zeros((*query.shape[:-1], key.shape[-2]), dtype)
    for place in np.ndindex(*query.shape[:-1]):
        for k in range(key.shape[-2]):
            a, b = (vector.astype(np.float64) for vector in (query[place], key[(*place[:-1], k)]))
            scores[(*place, k)] = _score(a, b, kind, w)
    return scores
