"""An explicit build(), the query scaled before the product, float masks, the automatic configuration."""

import keras
from keras import ops


class SelfAttention(keras.Layer):
    def __init__(self, d_model, **kwargs):
        super().__init__(**kwargs)
        self.width = d_model

    def build(self, shape):
        for role in ("query", "key", "value"):
            dense = keras.layers.Dense(self.width)
            dense.build(shape)
            setattr(self, f"{role}_dense", dense)
        self.output_dense = keras.layers.Dense(self.width)
        self.output_dense.build((*shape[:-1], self.width))

    def call(self, x, attention_mask=None, return_attention_scores=False):
        query = self.query_dense(x) * ops.rsqrt(float(self.width))
        scores = query @ ops.transpose(self.key_dense(x), (0, 2, 1))
        allowed = ops.ones((1, 1)) if attention_mask is None else ops.cast(attention_mask, "float32")
        weights = keras.activations.softmax(scores * allowed + 1e9 * (allowed - 1.0)) * allowed
        output = self.output_dense(weights @ self.value_dense(x))
        if return_attention_scores:
            return output, weights
        return output
