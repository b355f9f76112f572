"""One-hot products for the tables, Keras's attention in pre-norm layers; tokens masked one by one."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class Residual(layers.Layer):
    """x + dropout(part(norm(x)))."""

    def __init__(self, part, dropout, **kwargs):
        super().__init__(**kwargs)
        self.part, self.norm, self.drop = part, layers.LayerNormalization(), layers.Dropout(dropout)

    def call(self, x, training=None):
        """Return the new states."""
        normed = self.norm(x)
        attends = isinstance(self.part, layers.MultiHeadAttention)
        return x + self.drop(self.part(normed, normed) if attends else self.part(normed), training=training)


@keras.saving.register_keras_serializable(package="attention_dojo")
class Bert(keras.Model):
    """Built in the constructor."""

    def __init__(
        self,
        vocab_size,
        num_layers,
        d_model,
        num_heads,
        d_ff,
        max_length,
        num_segments=2,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.numbers = (vocab_size, num_layers, d_model, num_heads, d_ff, max_length, num_segments, dropout)
        self.longest = max_length
        self.token_embedding = layers.ReversibleEmbedding(vocab_size, d_model, tie_weights=True)
        self.position_embedding = layers.Embedding(max_length, d_model)
        self.segment_embedding = layers.Embedding(num_segments, d_model)
        for embedding in (self.token_embedding, self.position_embedding, self.segment_embedding):
            embedding.build(None)
        self.encoder_layers = [
            keras.Sequential(
                [
                    Residual(layers.MultiHeadAttention(num_heads, d_model // num_heads), dropout),
                    Residual(
                        keras.Sequential([layers.Dense(d_ff, activation="relu"), layers.Dense(d_model)]),
                        dropout,
                    ),
                ]
            )
            for _ in range(num_layers)
        ]
        self.pooler = layers.Dense(d_model, activation="tanh")

    def call(self, token_ids, segment_ids=None, training=None):
        """Return the three outputs."""
        length = ops.shape(token_ids)[1]
        if length > self.longest:
            raise ValueError("max_length")
        if segment_ids is None:
            segment_ids = token_ids * 0
        x = 0.0
        for ids, embedding in (
            (token_ids, self.token_embedding),
            (segment_ids, self.segment_embedding),
        ):
            table = embedding.embeddings
            x = x + ops.matmul(ops.one_hot(ids, table.shape[0], dtype=table.dtype), table)
        x = x + self.position_embedding.embeddings[None, :length]
        for layer in self.encoder_layers:
            x = layer(x, training=training)
        first, _ = ops.split(x, [1], axis=1)
        return {
            "sequence_output": x,
            "pooled_output": self.pooler(ops.squeeze(first, axis=1)),
            "mlm_logits": self.token_embedding(x, reverse=True),
        }

    def get_config(self):
        """Return what the constructor needs."""
        names = ["vocab_size", "num_layers", "d_model", "num_heads", "d_ff", "max_length"]
        names += ["num_segments", "dropout"]
        return {**super().get_config(), **dict(zip(names, self.numbers, strict=True))}


def mask_tokens(token_ids, vocab_size, mask_id, special_ids, rng, rate=0.15):
    """Draw for one token after the other."""
    inputs = token_ids.copy()
    weights = np.zeros(token_ids.shape, dtype="float32")
    for place, token in np.ndenumerate(token_ids):
        if token in special_ids or rng.random() >= rate:
            continue
        weights[place] = 1.0
        chance = rng.random()
        if chance < 0.8:
            inputs[place] = mask_id
        elif chance < 0.9:
            inputs[place] = rng.integers(0, vocab_size)
    return inputs, token_ids, weights
