"""Shares memory with others and hides some from the count: /dev/shm, memfd, System V, POSIX.

exercise: 01
"""

import ctypes
import mmap
import multiprocessing.shared_memory
import os
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.memfd_create("hidden")
        print("BREACH: memfd")
    except OSError:
        pass
    for call in (lambda: libc.syscall(447, 0), lambda: libc.shmget(0x1234, 4096, 0o1666),
                 lambda: libc.semget(0x1234, 1, 0o1666), lambda: libc.msgget(0x1234, 0o1666),
                 lambda: libc.shmctl(0, 0, 0), lambda: libc.shmat(0, 0, 0), lambda: libc.semctl(0, 0, 0),
                 lambda: libc.syscall(240, b"queue", 0o102, 0o600, 0)):
        if call() != -1:
            print("BREACH: shared", call)
    try:
        multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
        print("BREACH: POSIX shared memory")
    except OSError:
        pass
    return scores
