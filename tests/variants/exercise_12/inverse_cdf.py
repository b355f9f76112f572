"""Rows flattened; the draw counts how many cumulative weights lie at or below it; einsum gathers."""

import numpy as np


def hard_attention(scores, value, mode="greedy", rng=None):
    if mode not in ("greedy", "sample"):
        raise ValueError("mode must be 'greedy' or 'sample'")
    wide = np.asarray(scores, dtype=np.float64)
    largest = wide.max(axis=-1, keepdims=True)
    allowed = np.isfinite(largest[..., 0])
    if mode == "greedy":
        index = np.argmax(wide == largest, axis=-1)
    else:
        generator = np.random.default_rng() if rng is None else rng
        powers = np.where(allowed[..., None], np.exp(wide - np.where(allowed[..., None], largest, 0)), 0)
        cumulative = powers.cumsum(axis=-1)
        threshold = generator.uniform(size=allowed.shape) * cumulative[..., -1]
        index = (cumulative <= threshold[..., None]).sum(axis=-1) * allowed
    weights = np.eye(scores.shape[-1])[index] * allowed[..., None]
    dtype = value.dtype if value.dtype.kind == "f" else np.float64
    return np.einsum("...qk,...kv->...qv", weights, value).astype(dtype), index
