"""Undoes the signal that ends it with the server, ignores all others, and works on in threads.

exercise: 01
expect: timeout
seconds: 0.7
"""

import ctypes
import os
import resource
import signal
import threading
import time
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)


def softmax(scores, axis=-1):
    libc.prctl(1, 0, 0, 0, 0)
    libc.setfsuid(65534)  # a change of identity clears it
    libc.setfsuid(0)
    signal_now = ctypes.c_int()
    libc.prctl(2, ctypes.byref(signal_now), 0, 0, 0)
    if signal_now.value != 9:
        print("BREACH: it would outlive the server")
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
        try:
            resource.setrlimit(limit, (-1, -1))
            print("BREACH: a limit is gone")
        except (OSError, ValueError):
            pass

    def spin():
        while True:
            time.sleep(0.01)

    for _ in range(3):
        threading.Thread(target=spin).start()
    os.close(1)
    spin()
