"""Exercise 14: layer normalization.

Every vector is normalised on its own, over the last axis: shifted to mean 0, scaled to variance 1, then
given the scale and the offset that the network has learned:

    mean     = average of x over the last axis                        (..., 1)
    variance = average of (x - mean)^2 over the last axis             (..., 1)
    result   = gamma (x - mean) / sqrt(variance + epsilon) + beta     (..., D)

(Ba, Kiros and Hinton 2016, Layer Normalization, section 3.) x is (..., D), gamma and beta are (D,). The
variance is the biased one: divided by D, not by D - 1. The result must stay accurate in float64 when the
mean is 10,000 times the spread.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_14
"""

import numpy as np


def layer_norm(x, gamma, beta, epsilon=1e-6):
    """Return x normalised over its last axis, times gamma, plus beta."""
    ### BEGIN SOLUTION
    if x.dtype.kind != "f":
        x, gamma, beta = (array.astype(np.float64) for array in (x, gamma, beta))
    centred = x - np.mean(x, axis=-1, keepdims=True)  # (..., D)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)  # (..., 1)
    return gamma * centred / np.sqrt(variance + epsilon) + beta
    ### END SOLUTION
