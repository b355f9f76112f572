"""Axes counted and moved by name."""

import numpy as np


def split_heads(x, num_heads):
    width, rest = divmod(x.shape[-1], num_heads)
    if rest:
        raise ValueError("num_heads must divide the width")
    return np.einsum("...thw->...htw", x.reshape((*x.shape[:-1], num_heads, width)))


def merge_heads(x):
    moved = np.moveaxis(x, -3, -2)
    return np.reshape(moved, (*moved.shape[:-2], -1))
