"""As published: a norm and dropout on the embeddings, gelu; one exact count for the whole batch."""

import keras
import numpy as np
from keras import initializers, layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class EncoderLayer(keras.Model):
    """Post-norm, with separate projections."""

    def __init__(self, d_model, num_heads, d_ff, dropout, **kwargs):
        super().__init__(**kwargs)
        start = initializers.TruncatedNormal(stddev=0.02)
        self.heads = num_heads
        self.query = layers.Dense(d_model, kernel_initializer=start)
        self.key = layers.Dense(d_model, kernel_initializer=start)
        self.value = layers.Dense(d_model, kernel_initializer=start)
        self.out = layers.Dense(d_model, kernel_initializer=start)
        self.ffn = keras.Sequential([layers.Dense(d_ff, "gelu"), layers.Dense(d_model)])
        self.weight_dropout, self.dropout_layer = layers.Dropout(dropout), layers.Dropout(dropout)
        self.norms = [layers.LayerNormalization(epsilon=1e-12) for _ in range(2)]

    def split(self, x):
        """(B, T, D) to (B, H, T, D / H)."""
        x = ops.reshape(x, (-1, x.shape[1], self.heads, x.shape[2] // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def call(self, x, training=None):
        """Return the new states."""
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = query @ ops.transpose(key, (0, 1, 3, 2)) * (query.shape[-1] ** -0.5)
        weights = self.weight_dropout(ops.softmax(scores, axis=-1), training=training)
        mixed = ops.reshape(ops.transpose(weights @ value, (0, 2, 1, 3)), (-1, *x.shape[1:]))
        x = self.norms[0](x + self.dropout_layer(self.out(mixed), training=training))
        return self.norms[1](x + self.dropout_layer(self.ffn(x), training=training))


@keras.saving.register_keras_serializable(package="attention_dojo")
class Bert(keras.Model):
    """BERT as published, without its transform in front of the logits."""

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
        self._config = {
            "vocab_size": vocab_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "max_length": max_length,
            "num_segments": num_segments,
            "dropout": dropout,
        }

        def table(rows, name):
            start = initializers.TruncatedNormal(stddev=0.02)
            return layers.Embedding(rows, d_model, embeddings_initializer=start, name=name)

        self.token_embedding = table(vocab_size, "tokens")
        self.position_embedding = table(max_length, "positions")
        self.segment_embedding = table(num_segments, "segments")
        self.embedding_norm = layers.LayerNormalization(epsilon=1e-12)
        self.embedding_dropout = layers.Dropout(dropout)
        self.encoder_layers = []
        for number in range(num_layers):
            self.encoder_layers.append(
                EncoderLayer(d_model, num_heads, d_ff, dropout, name=f"layer_{number}")
            )
        self.pooler = layers.Dense(d_model, activation=ops.tanh)

    def call(self, token_ids, segment_ids=None, training=False):
        """Return the three outputs."""
        batch, length = ops.shape(token_ids)[0], token_ids.shape[1]
        if length > self._config["max_length"]:
            raise ValueError(f"at most {self._config['max_length']} tokens")
        if segment_ids is None:
            segment_ids = ops.zeros((batch, length), dtype="int32")
        places = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
        x = layers.add(
            [
                self.token_embedding(token_ids),
                self.segment_embedding(segment_ids),
                ops.repeat(self.position_embedding(places), batch, axis=0),
            ]
        )
        x = self.embedding_dropout(self.embedding_norm(x), training=training)
        for layer in self.encoder_layers:
            x = layer(x, training=training)
        flat = ops.reshape(x, (-1, x.shape[-1]))
        logits = ops.dot(flat, ops.transpose(self.token_embedding.embeddings))
        return {
            "sequence_output": x,
            "pooled_output": self.pooler(x[:, 0]),
            "mlm_logits": ops.reshape(logits, (-1, length, self._config["vocab_size"])),
        }

    def get_config(self):
        """Return what the constructor needs."""
        return {"name": self.name, **self._config}


def mask_tokens(token_ids, vocab_size, mask_id, special_ids, rng, rate=0.15):
    """One exact count for the batch; random ids are ordinary ones."""
    special = np.fromiter(special_ids, dtype=np.int64)
    labels = np.array(token_ids, copy=True)
    ordinary = np.flatnonzero(~np.isin(labels, special).ravel())
    places = rng.choice(ordinary, size=int(rate * len(ordinary)), replace=False)
    kinds = rng.choice(3, size=len(places), p=[0.8, 0.1, 0.1])
    inputs = labels.ravel().copy()
    inputs[places[kinds == 0]] = mask_id
    allowed = np.setdiff1d(np.arange(vocab_size), special)
    inputs[places[kinds == 1]] = rng.choice(allowed, size=int(np.sum(kinds == 1)))
    weights = np.zeros(labels.size, dtype=np.float32)
    weights[places] = 1.0
    return inputs.reshape(labels.shape), labels, weights.reshape(labels.shape)
