"""Leaves files, links, pipes and sockets for the next in every place that could be writable.

exercise: 01
"""

import os
import socket
import sys
import tempfile
import numpy as np


def softmax(scores, axis=-1):
    places = {os.getcwd(), "..", "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", os.path.expanduser("~"), "/",
              "/root", "/home", tempfile.gettempdir(), *sys.path, os.path.dirname(sys.modules["dojo_worker"].__file__),
              os.path.dirname(np.__file__), os.environ.get("KERAS_HOME", "/"), "/etc", "/usr/lib/python3/dist-packages"}
    mine = os.path.realpath(os.getcwd())
    for place in filter(None, places):
        for name in ("left", "sitecustomize.py", "usercustomize.py", "left.pth", "matplotlibrc", ".keras", "keras.json"):
            path = os.path.join(place, name)
            for make in (lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY)), lambda: os.mkdir(path + ".d"),
                         lambda: os.symlink("/etc/passwd", path + ".l"), lambda: os.mkfifo(path + ".p"),
                         lambda: os.link("/usr/bin/env", path + ".h"), lambda: os.truncate(path, 0),
                         lambda: os.utime(path), lambda: os.chmod(place, 0o777)):
                try:
                    make()
                except OSError:
                    continue
                if os.path.realpath(place) != mine:
                    print("BREACH:", path)
    try:
        socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].bind("\0left")
        print("BREACH: a socket with a name")
    except OSError:
        pass
    return scores
