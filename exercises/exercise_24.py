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
        raise NotImplementedError("Write this part.")

    def call(self, tokens):
        """Return the vectors (B, T, d_model) for tokens (B, T)."""
        raise NotImplementedError("Write this part.")

    def compute_mask(self, tokens, mask=None):
        """Return the mask (B, T) for the layers that follow: True where a token is real."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")
