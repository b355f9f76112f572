"""Exercise 01: softmax.

Softmax turns scores into weights: positive numbers that sum to 1 along an axis,

    softmax(scores)_i = exp(scores_i) / sum_j exp(scores_j).

Write it with NumPy so that it works for arrays with any number of axes, along any one of them, and
stays finite for scores such as 10000 (where exp overflows) and -inf (a masked position, weight 0). A
slice in which every score is -inf has nothing to attend to: its weights are all 0.

float32 in gives float32 out; float64 and integers give float64. The input is not changed.

Check your work with:  python -m grader exercise_01
"""

import numpy as np


def softmax(scores, axis=-1):
    """Return the softmax of `scores` along `axis`, an array of the same shape."""
    raise NotImplementedError("Write this part.")
