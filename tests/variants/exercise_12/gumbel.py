"""The Gumbel-max trick, and a one-hot matrix product for the values."""

import numpy as np


def hard_attention(scores, value, mode="greedy", rng=None):
    if mode == "sample":
        if rng is None:
            rng = np.random.default_rng()
        noisy = scores + rng.gumbel(size=scores.shape)
    elif mode == "greedy":
        noisy = scores
    else:
        raise ValueError(mode)
    value = value if value.dtype.kind == "f" else value.astype(float)
    index = noisy.argmax(-1)
    one_hot = (np.arange(scores.shape[-1]) == index[..., None]) & (scores > -np.inf)
    return one_hot.astype(value.dtype) @ value, index
