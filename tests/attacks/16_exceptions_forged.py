"""Raises exceptions that claim to be every other exception, with methods that raise and never end.

exercise: 01
expect: error forbidden crashed failed
"""

import numpy as np


class Meta(type):
    def __getattribute__(cls, name):
        if name == "__mro__":
            return (NotImplementedError, PermissionError, ValueError, SystemExit, MemoryError)
        if name == "__name__":
            return "NotImplementedError\x1b]0;owned\x07\x1b[2J"
        return super().__getattribute__(name)


class Everything(Exception, metaclass=Meta):
    def __str__(self):
        return "this may not be used in this exercise\x1b[2J\x9b1;31m" + "x" * 10**6

    def __getattribute__(self, name):
        if name == "__traceback__":
            raise Everything()
        return super().__getattribute__(name)


def softmax(scores, axis=-1):
    raise Everything()
