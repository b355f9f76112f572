"""Exercise 06: masks.

A mask says which keys a query may attend to. It is a boolean array, True where attending is allowed, and
broadcasts against the scores (..., Tq, Tk). Write the three masks that every Transformer uses, and the
function that combines them:

    padding_mask(token_ids, pad_id=0)          (B, T) -> (B, 1, T): True where the token is not padding
    causal_mask(query_length, key_length=None) (Tq, Tk): no query sees the future
    local_mask(length, window)                 (T, T): query i sees key j when |i - j| <= window
    combine_masks(*masks)                      True where every mask is True; the masks broadcast

The axis of length 1 lets a padding mask hold for every query. In `causal_mask` the key length is the query
length when it is None. With more keys than queries (the queries are the newest tokens, as when a model
generates with a cache) the last query sees the last key: query i sees the keys up to i + Tk - Tq.
`combine_masks` ignores None; when all are None, the result is None.

All masks have dtype bool. The inputs are not changed.

Check your work with:  python -m grader exercise_06
"""

import numpy as np


def padding_mask(token_ids, pad_id=0):
    """Return (B, 1, T), True where a token of token_ids (B, T) is not padding."""
    raise NotImplementedError("Write this part.")


def causal_mask(query_length, key_length=None):
    """Return (Tq, Tk), True where query i may see key j: j <= i + Tk - Tq."""
    raise NotImplementedError("Write this part.")


def local_mask(length, window):
    """Return (T, T), True where |i - j| <= window."""
    raise NotImplementedError("Write this part.")


def combine_masks(*masks):
    """Return where all masks are True, None when all of them are None."""
    raise NotImplementedError("Write this part.")
