"""One diagonal of the scores at a time, with a running softmax: memory T * D only."""

import numpy as np


def local_attention(query, key, value, window):
    dtype = np.float32 if query.dtype == np.float32 else np.float64
    length, width = query.shape[-2:]
    query = query.astype(dtype) / dtype(width**0.5)
    largest = np.full((*query.shape[:-1], 1), -np.inf, dtype)
    total = np.zeros_like(largest)
    context = np.zeros((*query.shape[:-1], value.shape[-1]), dtype)
    for shift in range(-min(window, length - 1), min(window, length - 1) + 1):
        rows = slice(max(0, -shift), min(length, length - shift))
        columns = slice(rows.start + shift, rows.stop + shift)
        scores = np.sum(query[..., rows, :] * key[..., columns, :], axis=-1, keepdims=True)
        higher = np.maximum(largest[..., rows, :], scores)
        shrink, power = np.exp(largest[..., rows, :] - higher), np.exp(scores - higher)
        context[..., rows, :] = context[..., rows, :] * shrink + power * value[..., columns, :]
        total[..., rows, :] = total[..., rows, :] * shrink + power
        largest[..., rows, :] = higher
    return context / total
