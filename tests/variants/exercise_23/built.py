"""An explicit build(), the automatic configuration, swapaxes and float masks."""

import keras
import numpy as np
from keras import ops


class MultiHeadAttention(keras.layers.Layer):
    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        head_width, rest = divmod(d_model, num_heads)
        if rest:
            raise ValueError("indivisible")
        self.shape_of_heads = (num_heads, head_width)
        make = keras.layers.Dense
        self.query_dense, self.key_dense = make(d_model), make(d_model)
        self.value_dense, self.output_dense = make(d_model), make(d_model)
        self.weights_dropout = keras.layers.Dropout(dropout)
        self.scale = 1 / np.sqrt(head_width)

    def build(self, query_shape, value_shape=None, key_shape=None):
        value_shape = value_shape or query_shape
        self.query_dense.build(query_shape)
        self.key_dense.build(key_shape or value_shape)
        self.value_dense.build(value_shape)
        self.output_dense.build((*query_shape[:-1], self.output_dense.units))
        self.built = True

    def heads(self, dense, x):
        return ops.swapaxes(ops.reshape(dense(x), (-1, x.shape[-2], *self.shape_of_heads)), 1, 2)

    def call(
        self,
        query,
        value,
        key=None,
        attention_mask=None,
        return_attention_scores=False,
        use_causal_mask=False,
        training=None,
    ):
        q = self.heads(self.query_dense, query)
        k = self.heads(self.key_dense, value if key is None else key)
        v = self.heads(self.value_dense, value)
        weights = ops.matmul(q, ops.swapaxes(k, -1, -2)) * float(self.scale)
        mask = np.tri(q.shape[2], k.shape[2]) if use_causal_mask else np.ones((1, 1))
        mask = ops.convert_to_tensor(mask, "float32")
        if attention_mask is not None:
            given = ops.cast(attention_mask, "float32")
            if len(given.shape) == 3:
                given = given[:, None, :, :]
            mask = mask * given
        weights = ops.softmax(weights * mask + 1e9 * (mask - 1.0), axis=-1) * mask
        context = ops.swapaxes(self.weights_dropout(weights, training=training) @ v, 1, 2)
        context = ops.reshape(context, (-1, q.shape[2], self.output_dense.units))
        if return_attention_scores:
            return self.output_dense(context), weights
        return self.output_dense(context)
