"""The waves are computed for each call's length, number by number."""

import math

import keras
import numpy as np
from keras import ops


class PositionalEmbedding(keras.layers.Layer):
    def __init__(self, vocab_size, d_model, max_length, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.d_model, self.max_length = vocab_size, d_model, max_length
        self.token_embedding = keras.layers.Embedding(vocab_size, d_model, mask_zero=True)

    def wave(self, position, column):
        pair, is_cosine = divmod(column, 2)
        angle = position / math.pow(10000, 2 * pair / self.d_model)
        return math.cos(angle) if is_cosine else math.sin(angle)

    def call(self, tokens):
        if tokens.shape[1] > self.max_length:
            raise ValueError("longer than max_length")
        rows = [[self.wave(t, j) for j in range(self.d_model)] for t in range(tokens.shape[1])]
        rows = ops.convert_to_tensor(np.array(rows, "float32"))
        return self.token_embedding(tokens) / self.d_model**-0.5 + ops.expand_dims(rows, 0)

    def compute_mask(self, tokens, mask=None):
        return tokens > 0

    def get_config(self):
        config = super().get_config()
        config.update(vocab_size=self.vocab_size, d_model=self.d_model, max_length=self.max_length)
        return config
