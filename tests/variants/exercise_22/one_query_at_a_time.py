"""A Python loop over the queries, each with a row of the mask; the sublayers in another order."""

import keras
from keras import ops


class SelfAttention(keras.layers.Layer):
    def __init__(self, d_model, **kwargs):
        super().__init__(**kwargs)
        self.d_model = d_model
        for name in ("output_dense", "value_dense", "key_dense", "query_dense"):
            setattr(self, name, keras.layers.Dense(d_model, kernel_initializer="he_normal"))

    def call(self, x, attention_mask=None, return_attention_scores=False):
        key, value, query = [dense(x) for dense in (self.key_dense, self.value_dense, self.query_dense)]
        rows, outputs = [], []
        for i in range(x.shape[1]):
            scores = ops.sum(query[:, i : i + 1] * key, axis=-1) / self.d_model**0.5
            if attention_mask is None:
                row = ops.softmax(scores)
            else:
                keep = ops.cast(attention_mask, scores.dtype)[..., i, :]
                row = ops.softmax(scores + (1.0 - keep) * -1e9) * keep
            rows.append(row)
            outputs.append(self.output_dense(ops.sum(row[:, :, None] * value, axis=1)))
        output = ops.stack(outputs, axis=1)
        if not return_attention_scores:
            return output
        return output, ops.stack(rows, axis=1)

    def get_config(self):
        return {**super().get_config(), "d_model": self.d_model}
