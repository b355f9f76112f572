"""Exercise 10: multi-head attention.

Project queries, keys and values, cut the projections into H heads, let every head attend on its own, put
the heads side by side again and mix them:

    Q, K, V = query w_query, key w_key, value w_value     cut into heads: (..., H, T, D/H)
    weights = softmax(Q K^T / sqrt(D/H))                  (..., H, Tq, Tk)
    output  = merged(weights V) w_output                  (..., Tq, Do)

(Vaswani et al. 2017, section 3.2.2.) query is (..., Tq, Dq), key (..., Tk, Dk), value (..., Tk, Dv), the
leading "..." axes the same in all three, none or many. w_query is (Dq, D), w_key (Dk, D), w_value (Dv, D)
and w_output (D, Do); there are no biases. Head h owns the features h * D/H up to (h + 1) * D/H. Where D is
not divisible by num_heads, raise ValueError.

`mask` is boolean, True where a query may attend. A mask with as many axes as the weights has a head axis:
(..., H, Tq, Tk). Every other mask broadcasts against (..., Tq, Tk) and holds for all heads: with a batch,
(B, Tq, Tk) is one mask per example, never one per head. A query that may attend to nothing in a head gets
weights of zero there, and that head's context is zero.

float32 in gives float32 out; float64 and integers give float64. The inputs are not changed.

Check your work with:  python -m grader exercise_10
"""

import numpy as np


def _softmax(scores):
    """Softmax over the last axis as in exercise 01: stable, zeros where all scores are -inf."""
    largest = np.max(scores, axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def _split_heads(x, num_heads):
    """(..., T, D) to (..., H, T, D/H), as in exercise 09."""
    *lead, length, width = x.shape
    return np.swapaxes(x.reshape(*lead, length, num_heads, width // num_heads), -3, -2)


def _merge_heads(x):
    """(..., H, T, D/H) to (..., T, D), as in exercise 09."""
    *lead, num_heads, length, head_width = x.shape
    return np.swapaxes(x, -3, -2).reshape(*lead, length, num_heads * head_width)


def multi_head_attention(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    """Return (output, weights)."""
    raise NotImplementedError("Write this part.")
