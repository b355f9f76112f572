"""Takes shared memory and gives its addresses back but for a page: all of it stays, and counts for nobody.

exercise: 01
"""

import ctypes
import mmap
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    for flags in (mmap.MAP_SHARED, 0x03):  # and MAP_SHARED_VALIDATE
        place = libc.mmap(None, 2**20, 3, flags | mmap.MAP_ANONYMOUS, -1, 0)
        if place != ctypes.c_void_p(-1).value:
            print("BREACH: a shared map")
    try:
        with open("/dev/zero", "r+b") as zero:
            mmap.mmap(zero.fileno(), 2**20)
            print("BREACH: a shared map of /dev/zero")
    except OSError:
        pass
    return np.zeros(np.shape(scores))
