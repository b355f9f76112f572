"""np.tril and np.logical_and."""

from functools import reduce

import numpy as np


def padding_mask(token_ids, pad_id=0):
    return np.expand_dims(np.not_equal(token_ids, pad_id), 1)


def causal_mask(query_length, key_length=None):
    key_length = key_length or query_length
    return np.tril(np.ones((query_length, key_length), dtype=bool), k=key_length - query_length)


def local_mask(length, window):
    everything = np.ones((length, length), dtype=bool)
    return np.tril(np.triu(everything, k=-window), k=window)


def combine_masks(*masks):
    masks = [mask for mask in masks if mask is not None]
    return reduce(np.logical_and, masks) if masks else None
