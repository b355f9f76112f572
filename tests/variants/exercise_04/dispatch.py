"""A table of functions; general projects the key; the cosine divides by norms, then mends 0/0."""

import numpy as np


def _dot(query, key, w=None):
    return np.matmul(query, np.moveaxis(key, -1, -2))


def _scaled_dot(query, key, w=None):
    return (_dot(query, key) / np.sqrt(query.shape[-1])).astype(query.dtype)


def _general(query, key, w):
    return _dot(query, np.matmul(key, w.T))


def _cosine(query, key, w=None):
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(query, axis=-1)[..., None] * np.linalg.norm(key, axis=-1)[..., None, :]
        return np.nan_to_num(_dot(query, key) / norms, nan=0.0)


_KINDS = {"dot": _dot, "scaled_dot": _scaled_dot, "general": _general, "cosine": _cosine}


def attention_scores(query, key, kind="scaled_dot", w=None):
    if kind not in _KINDS or (kind == "general" and w is None):
        raise ValueError(f"kind is {kind!r}, w is {w}")
    if query.dtype.kind != "f":
        query, key = 1.0 * query, 1.0 * key
    return _KINDS[kind](query, key, w)
