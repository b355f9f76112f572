"""Exercise 11: sinusoidal positional encoding.

Attention does not know where a token stands. The Transformer adds a pattern of waves to the embeddings, one
row per position and one frequency per pair of columns:

    angle(position, j)    = position / base^(2 floor(j/2) / d_model)
    encoding[position, j] = sin(angle) in even columns j, cos(angle) in odd columns

(Vaswani et al. 2017, section 3.5; there base = 10000.) Positions and columns count from 0; sine and cosine
alternate: columns 0 and 1 share a frequency, so do 2 and 3, and so on. d_model may be odd: then the last
column is a sine without its cosine.

The result is (length, d_model) in float32. Compute in float64 and convert at the end: in float32 the angles
of far positions are too coarse.

Check your work with:  python -m grader exercise_11
"""

import numpy as np


def positional_encoding(length, d_model, base=10000.0):
    """Return the encodings of the positions 0 to length - 1, (length, d_model) in float32."""
    ### BEGIN SOLUTION
    positions = np.arange(length, dtype=np.float64)[:, np.newaxis]  # (T, 1)
    columns = np.arange(d_model)  # (D,)
    exponents = 2 * (columns // 2) / d_model  # (D,)
    angles = positions / base**exponents  # (T, D)
    encoding = np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))
    return encoding.astype(np.float32)
    ### END SOLUTION
