"""Matrix products, an additive mask, the hidden layer as one tensor of rank 3; no get_config of its own."""

import keras
from keras import ops


class BahdanauAttention(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.query_dense = keras.layers.Dense(units)
        self.value_dense = keras.layers.Dense(units)
        self.score_dense = keras.layers.Dense(1)

    def call(self, query, values, mask=None):
        score = self.score_dense(ops.tanh(self.query_dense(query)[:, None, :] + self.value_dense(values)))
        if mask is not None:
            keep = ops.cast(mask, score.dtype)[:, :, None]
            score += (1.0 - keep) * -1e9
        weights = ops.softmax(score, axis=1)  # (B, T, 1)
        if mask is not None:
            weights *= keep
        context = ops.matmul(ops.transpose(weights, (0, 2, 1)), values)
        return ops.squeeze(context, 1), ops.squeeze(weights, 2)
