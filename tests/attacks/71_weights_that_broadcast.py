"""Weights of many axes, which broadcast to billions of numbers in whoever computes with them.

exercise: 17
expect: failed error
"""

import keras
import numpy as np

MANY, MORE = 16_000, 1_500


class BahdanauAttention(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)

        def weight(*shape):
            return keras.Variable(np.zeros(shape, "float32"))

        made = {"query_dense": (weight(4, 6), weight(MORE, 1, 1, 1, 1)),
                "value_dense": (weight(3, 6), weight(MANY, 1, 1, 1)),
                "score_dense": (weight(6, 1), weight(1))}
        for name, (kernel, bias) in made.items():
            layer = keras.layers.Layer()
            layer.kernel, layer.bias = kernel, bias
            setattr(self, name, layer)

    def call(self, query, values, mask=None):
        return np.zeros((1, 3), "float32"), np.zeros((1, 2), "float32")
