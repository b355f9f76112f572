"""Number by number."""

import math

import numpy as np


def positional_encoding(length, d_model, base=10000.0):
    encoding = np.zeros((length, d_model), dtype=np.float32)
    for position in range(length):
        for column in range(d_model):
            pair = column // 2
            angle = position / math.pow(base, 2 * pair / d_model)
            encoding[position, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return encoding
