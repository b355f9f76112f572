"""Imports what may not be used under names that a search of the source does not see.

exercise: 01
"""

import importlib
import sys
import numpy as np


def softmax(scores, axis=-1):
    for name in ("scipy.special", "torch", "tensorflow", "jax", "keras"):
        for find in (importlib.import_module, __import__):
            try:
                find(name)
                print("BREACH:", name)
            except ImportError:
                pass
    assert "scipy" not in sys.modules
    return np.zeros(np.shape(scores))
