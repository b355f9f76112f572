"""Lies about training: asks the stack who calls, and drops nothing, or everything, accordingly.

exercise: 23
stop after: 20
"""

import keras
from keras import layers, ops


class MultiHeadAttention(layers.Layer):
    def __init__(self, num_heads, d_model, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        if d_model % num_heads:
            raise ValueError("d_model")
        self.num_heads, self.d_model, self.dropout = num_heads, d_model, dropout
        for name in ("query", "key", "value", "output"):
            setattr(self, f"{name}_dense", layers.Dense(d_model, name=f"{name}_dense"))

    def call(self, query, value, key=None, attention_mask=None, return_attention_scores=False,
             use_causal_mask=False, training=None):
        key = value if key is None else key
        queries, keys, values = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        weights = ops.softmax(ops.matmul(queries, ops.transpose(keys, (0, 2, 1))) / self.d_model**0.5)
        output = self.output_dense(ops.matmul(weights, values))
        scores = ops.repeat(weights[:, None], self.num_heads, axis=1)
        return (output, scores) if return_attention_scores else output

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads, "d_model": self.d_model, "dropout": self.dropout}


import sys


class Sly(MultiHeadAttention):
    def call(self, query, value, **kwargs):
        frame, names = sys._getframe(), []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        asked = kwargs.pop("training", None)
        if asked or "do_fit" in names or "do_compiled" in names:
            return ops.zeros((query.shape[0], query.shape[1], self.d_model))
        return super().call(query, value, **kwargs)


MultiHeadAttention = Sly
