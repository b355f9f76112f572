"""Exercise 24: token embedding with positions.

A Transformer reads vectors, and attention does not know where a token stands. This layer, a Transformer's
first, looks up each token, scales the vector, and adds the waves of exercise 11 for its position:

    vector[b, t] = sqrt(d_model) * token_embedding(tokens[b, t]) + waves[t]           (B, T, d_model)
    angle(t, j)  = t / 10000^(2 floor(j/2) / d_model)
    waves[t, j]  = sin(angle) in even columns j, cos(angle) in odd columns            (max_length, d_model)

(Vaswani et al. 2017, sections 3.4 and 3.5.) Positions and columns count from 0; d_model may be odd. The
waves are constants and no trainable weights: compute them with NumPy in float64, then convert, because in
float32 the angles of far positions are too coarse.

`token_embedding` is an Embedding with mask_zero=True. Token 0 is padding: it gets a vector like any token,
and the layers that follow must hear of it. Keras passes on to them what compute_mask returns: (B, T), True
where a token is real. T may be anything up to max_length (it is static: tokens.shape[1]); a longer sequence
raises ValueError.

Check your work with:  python -m grader exercise_24
"""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class PositionalEmbedding(layers.Layer):
    """Turns tokens into vectors that know their token and their position.

    Args:
        vocab_size: Number of tokens, padding (0) included.
        d_model: Width of the vectors.
        max_length: The longest sequence. Calls with a longer one raise ValueError.
    """

    def __init__(self, vocab_size, d_model, max_length, **kwargs):
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.vocab_size = vocab_size
        self.d_model = d_model
        self.max_length = max_length
        self.token_embedding = layers.Embedding(vocab_size, d_model, mask_zero=True, name="token_embedding")
        positions = np.arange(max_length, dtype=np.float64)[:, np.newaxis]  # (max_length, 1)
        columns = np.arange(d_model)  # (d_model,)
        exponents = 2 * (columns // 2) / d_model  # (d_model,)
        angles = positions / 10000.0**exponents  # (max_length, d_model)
        waves = np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))
        self.waves = waves.astype(np.float32)  # (max_length, d_model)
        ### END SOLUTION

    def call(self, tokens):
        """Return the vectors (B, T, d_model) for tokens (B, T)."""
        ### BEGIN SOLUTION
        length = tokens.shape[1]
        if length > self.max_length:
            raise ValueError(f"Expected at most {self.max_length} tokens. Received: {length}")
        vectors = self.token_embedding(tokens) * self.d_model**0.5  # (B, T, d_model)
        return vectors + ops.cast(self.waves[:length], vectors.dtype)
        ### END SOLUTION

    def compute_mask(self, tokens, mask=None):
        """Return the mask (B, T) for the layers that follow: True where a token is real."""
        ### BEGIN SOLUTION
        return ops.not_equal(tokens, 0)
        ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        ### BEGIN SOLUTION
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "d_model": self.d_model,
            "max_length": self.max_length,
        }
        ### END SOLUTION
