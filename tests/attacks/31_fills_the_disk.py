"""Writes as much as it can: large files, holes, reserved blocks, files without a name.

exercise: 01
seconds: 1.5
"""

import os
import numpy as np

block = np.random.default_rng(0).bytes(2**20)


def softmax(scores, axis=-1):
    kept = []
    total = 0
    for number in range(400):
        try:
            flags = os.O_CREAT | os.O_RDWR
            try:
                fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
            except OSError:
                fd = os.open(f"{number}", flags)
                os.unlink(f"{number}")
            kept.append(fd)
            os.ftruncate(fd, 2**24)
            try:
                os.posix_fallocate(fd, 0, 2**24)
                total += 2**24
            except OSError:
                for _ in range(16):
                    total += os.write(fd, block)
        except OSError:
            break
    while True:
        try:
            with open(f"big{len(kept)}", "wb") as file:
                for _ in range(16):
                    total += file.write(block)
        except OSError:
            break
        kept.append(None)
        if total > 2**31:
            print("BREACH: more than 2 GiB")
            break
    return scores
