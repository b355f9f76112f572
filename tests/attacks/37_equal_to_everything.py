"""An array that is equal to, close to and smaller than everything, and converts to whatever is asked.

exercise: 01
expect: failed
"""

import numpy as np


class Yes(np.ndarray):
    def __eq__(self, other):
        return True

    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __le__ = __ge__ = __contains__ = __bool__ = lambda self, *other: True
    __sub__ = __rsub__ = lambda self, other: np.zeros_like(other)
    __array_ufunc__ = lambda self, *a, **k: np.True_
    __array_function__ = lambda self, *a, **k: True
    __array_wrap__ = lambda self, *a, **k: True
    __reduce__ = lambda self: (eval, ("True",))
    tobytes = lambda self, *a: b"\0" * 24
    shape = property(lambda self: (3,))


def softmax(scores, axis=-1):
    return np.zeros(scores.shape).view(Yes)
