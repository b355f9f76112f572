"""Uses what the administrator may do where the judge runs as root: clock, names, users, modules, mounts.

exercise: 01
"""

import ctypes
import os
import time
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.time())
        print("BREACH: the clock")
    except OSError:
        pass
    name = os.uname().nodename.encode()
    if libc.sethostname(name, len(name)) == 0:
        print("BREACH: the name")
    for call in (lambda: os.setuid(65534), lambda: os.setgid(65534), lambda: os.setgroups([1])):
        try:
            call()
            print("BREACH: another user")
        except OSError:
            pass
    for number, arguments in (
        (175, (b"", 0, b"")), (313, (-1, b"", 0)), (167, (b"/none", 0)), (163, (0,)), (172, (3,)),
        (161, (b"/",)), (165, (b"t", os.fsencode(os.getcwd()), b"tmpfs", 0, 0)), (272, (0x10000000,)),
        (272, (0x20000,)), (133, (b"device", 0o60600, 0x0801)), (103, (2, 0, 0)), (430, (b"tmpfs", 0)),
        (300, (0, 0)), (321, (0, 0, 0)), (298, (0, 0, 0, 0, 0)), (323, (0,)), (248, (b"user", b"x", b"x", 1, -3)),
    ):
        if libc.syscall(number, *arguments) >= 0:
            print("BREACH: system call", number)
    return scores
