"""The waves, from complex numbers, are a weight that is not trained; the Embedding's own mask."""

import keras
import numpy as np


class PositionalEmbedding(keras.Layer):
    def __init__(self, vocab_size, d_model, max_length, **kwargs):
        super().__init__(**kwargs)
        self.shape_of_table = (max_length, d_model)
        self.token_embedding = keras.layers.Embedding(vocab_size, d_model, mask_zero=True)

    def build(self, shape):
        length, width = self.shape_of_table
        pairs = (width + 1) // 2
        angles = np.outer(np.arange(length), np.exp(-np.log(1e4) * 2 * np.arange(pairs) / width))
        turning = np.exp(1j * angles)
        both = np.stack([turning.imag, turning.real], axis=-1).reshape(length, 2 * pairs)
        self.table = self.add_weight(
            shape=self.shape_of_table,
            initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(both[:, :width], "float32"),
            trainable=False,
        )
        self.token_embedding.build(shape)

    def call(self, tokens):
        limit, width = self.shape_of_table
        if tokens.shape[-1] > limit:
            raise ValueError("too long")
        scale = keras.ops.sqrt(keras.ops.cast(width, "float32"))
        return scale * self.token_embedding(tokens) + self.table[: tokens.shape[-1]][None]

    def compute_mask(self, inputs, mask=None):
        return self.token_embedding.compute_mask(inputs, mask)
