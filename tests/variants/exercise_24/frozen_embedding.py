"""A second Embedding, frozen, holds the waves; an odd width is cut from the next even one."""

import keras
import numpy as np
from keras import layers, ops


def table(length, width):
    """Sines and cosines written to every other column."""
    waves = np.zeros((length, width + 1))
    frequencies = np.power(1e4, -np.arange(0, width + 1, 2) / width)
    angles = np.arange(length)[:, None] * frequencies
    waves[:, 0::2] = np.sin(angles)[:, : waves[:, 0::2].shape[1]]
    waves[:, 1::2] = np.cos(angles)[:, : waves[:, 1::2].shape[1]]
    return waves[:, :width].astype("float32")


class PositionalEmbedding(layers.Layer):
    def __init__(self, vocab_size, d_model, max_length, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"vocab_size": vocab_size, "d_model": d_model, "max_length": max_length}
        self.token_embedding = layers.Embedding(vocab_size, d_model, mask_zero=True)
        self.position_embedding = layers.Embedding(
            max_length,
            d_model,
            embeddings_initializer=keras.initializers.Constant(table(max_length, d_model)),
            trainable=False,
        )

    def call(self, tokens):
        length = ops.shape(tokens)[1]
        if length > self.sizes["max_length"]:
            raise ValueError(f"{length} tokens are too many")
        vectors = ops.multiply(self.token_embedding(tokens), np.float32(np.sqrt(self.sizes["d_model"])))
        return ops.add(vectors, self.position_embedding(ops.arange(length)))

    def compute_mask(self, tokens, previous=None):
        return ops.cast(ops.minimum(tokens, 1), "bool")

    def get_config(self):
        return super().get_config() | self.sizes
