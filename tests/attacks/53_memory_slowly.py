"""Takes memory a little at each call, in caches that look innocent, and through pipes.

exercise: 01
"""

import functools
import os
import numpy as np

pipes = []
for _ in range(40):
    try:
        pipes.append(os.pipe())
        import fcntl

        os.set_blocking(pipes[-1][1], False)
        for size in (2**30, 2**24, 2**20):
            try:
                fcntl.fcntl(pipes[-1][1], 1031, size)
                break
            except OSError:
                continue
        while os.write(pipes[-1][1], bytes(2**20)):
            pass
    except OSError:
        pass
kept = []


@functools.lru_cache(None)
def cached(number):
    return np.ones(2**21)


def softmax(scores, axis=-1):
    for number in range(len(kept), len(kept) + 3):
        kept.append(cached(number))
    return scores
