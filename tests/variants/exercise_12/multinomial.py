"""Generator.multinomial draws one-hot rows."""

import numpy as np


def hard_attention(scores, value, mode="greedy", rng=None):
    if mode not in ("greedy", "sample"):
        raise ValueError("mode must be 'greedy' or 'sample'")
    floats = value.astype(np.result_type(value, np.float32) if value.dtype.kind == "f" else np.float64)
    empty = np.isneginf(scores).all(axis=-1)
    safe = np.where(empty[..., None], 0.0, scores.astype(np.float64))
    if mode == "greedy":
        index = safe.argmax(axis=-1)
    else:
        powers = np.exp(safe - safe.max(axis=-1, keepdims=True))
        generator = np.random.default_rng() if rng is None else rng
        index = generator.multinomial(1, powers / powers.sum(axis=-1, keepdims=True)).argmax(axis=-1)
    index = np.where(empty, 0, index)
    context = np.take_along_axis(floats, index[..., np.newaxis], axis=-2)
    context[empty] = 0
    return context, index
