"""One einsum; the cosine from vectors of length 1."""

import numpy as np


def attention_scores(query, key, kind="scaled_dot", w=None):
    if query.dtype.kind in "iu":
        query, key = query.astype(float), key.astype(float)
    if kind == "general":
        if w is None:
            raise ValueError("general needs w")
        return np.einsum("...qi,ij,...kj->...qk", query, w.astype(query.dtype), key)
    if kind == "scaled_dot":
        query = query * query.dtype.type(query.shape[-1] ** -0.5)
    elif kind == "cosine":
        query, key = _unit(query), _unit(key)
    elif kind != "dot":
        raise ValueError(kind)
    return np.einsum("...qd,...kd->...qk", query, key)


def _unit(vectors):
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)
