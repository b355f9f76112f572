"""Right at the first calls, as a judge that tries once would see; wrong later, by count and by clock.

exercise: 01
expect: failed
"""

import time
import numpy as np

start, calls = time.monotonic(), []


def softmax(scores, axis=-1):
    calls.append(1)
    scores = scores if scores.dtype.kind == "f" else scores.astype(float)
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    right = powers / powers.sum(axis=axis, keepdims=True)
    return right if len(calls) <= 2 and time.monotonic() - start < 60 else np.roll(right, 1, axis=axis)
