"""Products and minima of 0 and 1 in the place of logic, made boolean at the end."""

import numpy as np


def padding_mask(token_ids, pad_id=0):
    return (token_ids - pad_id).astype(bool).reshape(len(token_ids), 1, -1)


def causal_mask(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    square = np.cumsum(np.eye(keys), axis=0)  # ones from the diagonal down
    square = square[keys - query_length :]
    return square > 0


def local_mask(length, window):
    i, j = np.indices((length, length))
    return (i - j) ** 2 <= window**2


def combine_masks(*masks):
    combined = None
    for mask in masks:
        if mask is None:
            continue
        combined = mask * 1 if combined is None else np.minimum(combined, mask)
    return None if combined is None else combined.astype(bool)
