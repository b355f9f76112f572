"""Exercise 03: scaled dot-product attention.

Every query looks at every key; how well they match decides how much of each value it takes:

    scores  = query key^T / sqrt(D)           (..., Tq, Tk)
    weights = softmax(scores over the keys)   (..., Tq, Tk)
    context = weights value                   (..., Tq, Dv)

(Vaswani et al. 2017, section 3.2.1.) query is (..., Tq, D), key (..., Tk, D), value (..., Tk, Dv); the
leading "..." axes are the same in all three, none or many. `mask` is boolean, True where a query may
attend, and broadcasts against the scores. A query that may attend to nothing gets weights of zero and
a context of zero.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_03
"""

import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    """Return (context, weights)."""
    ### BEGIN SOLUTION
    if query.dtype.kind != "f":
        query, key, value = (array.astype(np.float64) for array in (query, key, value))
    width = query.shape[-1]
    scores = query @ np.swapaxes(key, -1, -2) / query.dtype.type(np.sqrt(width))  # (..., Tq, Tk)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    largest = np.max(scores, axis=-1, keepdims=True)
    largest = np.where(np.isneginf(largest), 0, largest)
    powers = np.exp(scores - largest)
    total = np.sum(powers, axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    context = weights @ value  # (..., Tq, Dv)
    return context, weights
    ### END SOLUTION
