"""Holds up whoever opens a file of the grader's (leases), and watches what others do with files.

exercise: 01
"""

import ctypes
import fcntl
import os
import platform
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(np.__file__, os.O_RDONLY)
    for command, value in ((fcntl.F_SETLEASE, fcntl.F_WRLCK), (fcntl.F_SETLEASE, fcntl.F_RDLCK), (1026, 1)):
        try:
            fcntl.fcntl(file, command, value)
            print("BREACH: fcntl", command)
        except OSError:
            pass
    watch = libc.inotify_add_watch(libc.inotify_init1(0), os.path.dirname(np.__file__).encode(), 0xFFF)
    if watch != -1:
        print("BREACH: inotify")
    for request in (0x40086602, 0x401C5820):  # FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR
        if libc.ioctl(file, request, ctypes.byref(ctypes.create_string_buffer(64))) != -1:
            print("BREACH: flags of a file")
    if platform.system() == "Linux":  # setxattrat, removexattrat, file_setattr, and what comes after them
        for number in (463, 466, 469, 500):
            if libc.syscall(number, -100, b"", 0, 0, 0, 0) != -1 or ctypes.get_errno() != 38:
                print("BREACH: a call newer than the filter", number)
    return np.zeros(np.shape(scores))
