"""One head after the other, each with its own slices of the matrices; masks become one per head."""

import numpy as np


def _softmax(scores):
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = powers.sum(axis=-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def multi_head_attention(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    size, rest = divmod(w_query.shape[1], num_heads)
    if rest:
        raise ValueError("the heads must share the width evenly")
    if query.dtype.kind in "iu":
        query, key, value = query.astype(float), key.astype(float), value.astype(float)
    output, weights = 0, []
    for head in range(num_heads):
        own = slice(head * size, (head + 1) * size)
        q, k, v = query @ w_query[:, own], key @ w_key[:, own], value @ w_value[:, own]
        scores = (q / np.asarray(size, q.dtype) ** 0.5) @ k.swapaxes(-1, -2)
        if mask is not None:
            allowed = mask if mask.ndim < query.ndim + 1 else mask[..., head % mask.shape[-3], :, :]
            scores[~np.broadcast_to(allowed, scores.shape)] = -np.inf
        weights.append(_softmax(scores))
        output = output + weights[-1] @ v @ w_output[own]
    return output, np.stack(weights, axis=-3)
