"""Makes files until there is no room for another name.

exercise: 01
expect: error crashed timeout
seconds: 2
"""

import os


def softmax(scores, axis=-1):
    number = 0
    while True:
        os.close(os.open(f"{number}", os.O_CREAT | os.O_WRONLY))
        number += 1
        if number == 200_000:
            print("BREACH: no end")
            return scores
