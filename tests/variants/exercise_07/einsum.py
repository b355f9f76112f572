"""Subscripts; the future added as -inf."""

import numpy as np


def self_attention(x, w_query, w_key, w_value, causal=False):
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    query = np.einsum("...td,dk->...tk", x, w_query)
    key = np.einsum("...td,dk->...tk", x, w_key)
    value = np.einsum("...td,dv->...tv", x, w_value)
    scores = np.einsum("...qk,...sk->...qs", query, key) * x.dtype.type(query.shape[-1] ** -0.5)
    if causal:
        scores += np.triu(np.full(scores.shape[-2:], -np.inf, scores.dtype), k=1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("...qs,...sv->...qv", weights, value), weights
