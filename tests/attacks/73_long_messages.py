"""An exception and a key of many megabytes, which would end up in every report.

exercise: 28
expect: failed error crashed
"""

import keras


class Bert(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def call(self, *args, **kwargs):
        return {"\x01" * 18_000_000: args[0]}


def mask_tokens(*args, **kwargs):
    raise ValueError("long" * 5_000_000)
