"""The matrices are cut into heads, not the projections."""

import numpy as np


def multi_head_attention(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    if w_query.shape[-1] % num_heads:
        raise ValueError(f"{num_heads} heads do not divide {w_query.shape[-1]}")
    dtype = query.dtype if query.dtype.kind == "f" else np.dtype(np.float64)

    def project(x, w):
        cut = w.reshape(len(w), num_heads, -1)
        return np.einsum("...td,dhw->...htw", x.astype(dtype), cut.astype(dtype))

    q, k, v = project(query, w_query), project(key, w_key), project(value, w_value)
    scores = np.einsum("...qw,...kw->...qk", q, k) * dtype.type(1 / np.sqrt(q.shape[-1]))
    if mask is None:
        allowed = np.ones_like(scores, dtype=bool)
    else:
        lead = (*scores.shape[:-3], *scores.shape[-2:])
        per_head = mask.ndim == scores.ndim
        allowed = mask if per_head else np.broadcast_to(mask, lead)[..., np.newaxis, :, :]
        allowed = np.broadcast_to(allowed, scores.shape)
    top = np.max(scores, axis=-1, keepdims=True, where=allowed, initial=-np.inf)
    powers = np.exp(np.where(allowed, scores - top, -np.inf))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.maximum(total, np.finfo(dtype).tiny)
    cut = w_output.reshape(num_heads, -1, w_output.shape[-1]).astype(dtype)
    return np.einsum("...hqk,...hkw,hwo->...qo", weights, v, cut), weights
