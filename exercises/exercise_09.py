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
    raise NotImplementedError("Write this part.")


def merge_heads(x):
    """Return x (..., H, T, D/H) as (..., T, D)."""
    raise NotImplementedError("Write this part.")
