"""One row at a time, with Generator.choice."""

import numpy as np


def hard_attention(scores, value, mode="greedy", rng=None):
    if mode not in {"greedy", "sample"}:
        raise ValueError(f"unknown mode {mode}")
    rng = rng or np.random.default_rng()
    dtype = value.dtype if value.dtype.kind == "f" else np.float64
    index = np.zeros(scores.shape[:-1], dtype=int)
    context = np.zeros((*scores.shape[:-1], value.shape[-1]), dtype=dtype)
    for place in np.ndindex(index.shape):
        row = scores[place].astype(np.float64)
        if np.all(row == -np.inf):
            continue
        if mode == "greedy":
            index[place] = row.argmax()
        else:
            powers = np.exp(row - row.max())
            index[place] = rng.choice(len(row), p=powers / powers.sum())
        context[place] = value[place[:-1]][index[place]]
    return context, index
