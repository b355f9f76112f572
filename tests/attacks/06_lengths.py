"""Frames with impossible lengths, arrays whose shapes lie, unknown extensions, deep nesting, in turn.

exercise: 01
expect: crashed failed
"""

import os, socket, stat, struct, time
import numpy as np


def channel():
    """The judge's end is the only socket there is."""
    for fd in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise RuntimeError("no channel")


import msgspec


def array(name, shape, raw):
    header = msgspec.msgpack.encode((name, shape))
    return msgspec.msgpack.Ext(1, struct.pack("!H", len(header)) + header + raw)


def frame(value):
    body = msgspec.msgpack.encode({"value": value, "problem": None, "mutated": [], "callback": None})
    return struct.pack("!I", len(body)) + body


def softmax(scores, axis=-1):
    frames = [
        b"\xff" * 64,
        b"\x80\0\0\0" + bytes(64),
        bytes(4096),
        frame(array("float64", [-1, -3], bytes(24))),
        frame(array("float64", [2**62, 4], b"")),
        frame(array("float64", [0, 2**62], b"")),
        frame(array("float64", [2**70 % 2**63] * 16, bytes(8))),
        frame(array("object", [1], bytes(8))),
        frame(array("O8" * 5000, [1], bytes(8))),
        frame(array("float64", [1] * 40, bytes(8))),
        frame(msgspec.msgpack.Ext(99, bytes(100))),
        frame(msgspec.msgpack.Ext(1, b"\xff")),
        frame(msgspec.msgpack.Ext(3, b"\x91" * 100_000)),
        struct.pack("!I", 10**6) + b"\x91" * 10**6,
        struct.pack("!I", 6) + b"\xdd\xff\xff\xff\xff\xc0",
        struct.pack("!I", 6) + b"\xdf\xff\xff\xff\xff\xc0",
        struct.pack("!I", 1) + b"\xc1",
        frame({"a" * 10**6: "b" * 10**7}),
        frame([0] * 10**6),
    ]
    chosen = frames[int(time.monotonic_ns() // 1000) % len(frames)]
    link = socket.socket(fileno=os.dup(channel()))
    link.sendall(chosen)
    time.sleep(0.05)
    os._exit(0)
