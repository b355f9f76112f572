"""Frequencies as exp(-2i log(base) / D), filled in by slices; the cosines are cut for odd widths."""

import numpy as np


def positional_encoding(length, d_model, base=10000.0):
    position = np.arange(length)[:, None]
    frequencies = np.exp(np.arange(0, d_model, 2) * (-np.log(base) / d_model))
    angles = position * frequencies
    encoding = np.empty((length, d_model), np.float32)
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles[:, : d_model // 2])
    return encoding
