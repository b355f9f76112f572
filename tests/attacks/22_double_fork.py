"""Forks twice, in a session of its own, by every call that makes a process; the grandchild would stay.

exercise: 01
"""

import ctypes
import multiprocessing
import os
import pty
import signal
import subprocess
import numpy as np


def softmax(scores, axis=-1):
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.setsid()
    except OSError:
        pass

    def child():
        print("BREACH: a child")
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
        os.setsid()
        while True:
            signal.pause()

    clone_args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)
    for make in (os.fork, os.forkpty, lambda: libc.fork(), lambda: libc.syscall(57), lambda: libc.syscall(58),
                 lambda: libc.syscall(56, 17, 0, 0, 0, 0), lambda: libc.syscall(56, 0x100 | 17, 0, 0, 0, 0),
                 lambda: libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0), lambda: libc.syscall(435, clone_args, 88),
                 lambda: libc.syscall(0x40000000 + 57)):
        try:
            pid = make()
            pid = pid[0] if isinstance(pid, tuple) else pid
        except OSError:
            continue
        if pid == 0:
            child()
        if pid > 0:
            print("BREACH: a process", pid)
    for run in (lambda: subprocess.Popen(["/bin/sleep", "999"]), lambda: os.system("sleep 999 &"),
                lambda: os.posix_spawn("/bin/sleep", ["sleep", "999"], {}), lambda: os.execv("/bin/true", ["true"]),
                lambda: multiprocessing.get_context("spawn").Process(target=print).start()):
        try:
            if run() == 0:
                print("BREACH: a program")
        except (OSError, RuntimeError, AttributeError):
            pass
    return scores
