"""Exercise 09: split into heads and merge them.

Multi-head attention runs H small attentions side by side. Head h works on its own D/H neighbouring
features: h * D/H up to, not including, (h + 1) * D/H.

    split_heads:  (..., T, D)       ->  (..., H, T, D/H)
    merge_heads:  (..., H, T, D/H)  ->  (..., T, D)          the inverse

(Vaswani et al. 2017, section 3.2.2.) The leading "..." axes are none or many. The numbers are only moved:
each result has the dtype of its input, integers included, and the inputs are not changed. Where D is not
divisible by num_heads, split_heads raises ValueError.

Check your work with:  python -m grader exercise_09
"""

import numpy as np


def split_heads(x, num_heads):
    """Return x (..., T, D) as (..., H, T, D/H)."""
    ### BEGIN SOLUTION
    *lead, length, width = x.shape
    if width % num_heads != 0:
        raise ValueError(f"width {width} is not divisible by {num_heads} heads")
    x = x.reshape(*lead, length, num_heads, width // num_heads)  # (..., T, H, D/H)
    return np.swapaxes(x, -3, -2)  # (..., H, T, D/H)
    ### END SOLUTION


def merge_heads(x):
    """Return x (..., H, T, D/H) as (..., T, D)."""
    ### BEGIN SOLUTION
    *lead, num_heads, length, head_width = x.shape
    x = np.swapaxes(x, -3, -2)  # (..., T, H, D/H)
    return x.reshape(*lead, length, num_heads * head_width)  # (..., T, D)
    ### END SOLUTION
