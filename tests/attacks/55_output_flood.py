"""Prints without end, without lines, not UTF-8, with commands to the terminal and to the page.

exercise: 01
expect: error timeout
"""

import os
import sys
import numpy as np

EVIL = ("\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[2J\x1b[1;1H\x1b[?1049h\x9b31m\x90q\x9c\u202eslaud\u2066\x08\x08\r"
        "</pre><script>alert(1)</script><img src=x onerror=alert(1)>[bold red]PASSED[/]\n")
print(EVIL)


def softmax(scores, axis=-1):
    print(EVIL)
    os.write(1, b"\xff\xfe\xc0\x80\x1b[31m" * 100)
    for _ in range(200):
        os.write(1, b"x" * 2**16)
        os.write(2, b"\x1b" * 2**16)
    raise ValueError(EVIL)
