"""Takes memory at once: arrays, maps, locked and huge pages, from threads.

exercise: 01
expect: crashed error timeout
seconds: 1.2
"""

import mmap
import threading
import numpy as np


def take():
    kept = []
    while True:
        try:
            block = mmap.mmap(-1, 2**28, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
            kept.append(block)
            block.madvise(14)
        except (OSError, ValueError, MemoryError):
            pass


def softmax(scores, axis=-1):
    for _ in range(3):
        threading.Thread(target=take, daemon=True).start()
    kept = []
    while True:
        kept.append(np.ones(2**24))
