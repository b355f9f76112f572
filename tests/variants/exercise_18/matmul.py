"""Matrix products over (B, T, 1); takes masks in and stops them with compute_mask."""

import keras
from keras import ops


class AttentionPooling(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.project = keras.layers.Dense(units, "tanh")
        self.score = keras.layers.Dense(1, use_bias=False)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, states, mask=None):
        weights = self.score(self.project(states))
        if mask is None:
            weights = ops.softmax(weights, axis=1)
        else:
            keep = ops.cast(mask, "float32")[..., None]
            weights = ops.softmax(weights + 1e9 * (keep - 1.0), axis=1) * keep
        pooled = ops.matmul(ops.swapaxes(weights, 1, 2), states)[:, 0]
        return pooled, weights[..., 0]
