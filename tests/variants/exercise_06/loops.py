"""One pair of query and key at a time."""

import numpy as np


def padding_mask(token_ids, pad_id=0):
    batch, length = token_ids.shape
    mask = np.empty((batch, 1, length), bool)
    for row in range(batch):
        for place in range(length):
            mask[row, 0, place] = token_ids[row, place] != pad_id
    return mask


def causal_mask(query_length, key_length=None):
    if key_length is None:
        key_length = query_length
    mask = np.zeros((query_length, key_length), bool)
    for i in range(query_length):
        mask[i, : i + key_length - query_length + 1] = True
    return mask


def local_mask(length, window):
    mask = np.zeros((length, length), bool)
    for i in range(length):
        mask[i, max(0, i - window) : i + window + 1] = True
    return mask


def combine_masks(*masks):
    masks = [mask for mask in masks if mask is not None]
    if not masks:
        return None
    shape = np.broadcast_shapes(*(mask.shape for mask in masks))
    combined = np.ones(shape, bool)
    for mask in masks:
        combined &= mask
    return combined
