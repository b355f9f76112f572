"""Directions joined by hand, one function for both levels, masks as numbers."""

import keras
from keras import ops


class AttentionPooling(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.project = keras.layers.Dense(units, activation="tanh")
        self.score = keras.layers.Dense(1, use_bias=False)

    def call(self, states, mask=None):
        scores = self.score(self.project(states))[..., 0]
        if mask is None:
            weights = ops.softmax(scores)
        else:
            keep = ops.cast(mask, scores.dtype)
            weights = ops.softmax(scores + (keep - 1.0) * 1e9) * keep
        return ops.einsum("bt,btd->bd", weights, states), weights


class HierarchicalAttention(keras.Model):
    def __init__(self, vocab_size, embedding_dim, units, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.arguments = {
            "vocab_size": vocab_size,
            "embedding_dim": embedding_dim,
            "units": units,
            "num_classes": num_classes,
        }
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.word_rnn = self.recurrent(units)
        self.word_pooling = AttentionPooling(units)
        self.sentence_rnn = self.recurrent(units)
        self.sentence_pooling = AttentionPooling(units)
        self.classifier = keras.layers.Dense(num_classes)

    @staticmethod
    def recurrent(units):
        return keras.layers.Bidirectional(keras.layers.GRU(units, return_sequences=True), merge_mode=None)

    def encode(self, rnn, pooling, x, real):
        forward, backward = rnn(x, mask=real > 0)
        return pooling(ops.concatenate([forward, backward], axis=-1), mask=real)[0]

    def call(self, tokens):
        shape = (-1, *tokens.shape[1:])
        real = ops.minimum(ops.cast(tokens, "int32"), 1)
        flat = ops.reshape(tokens, (-1, shape[2]))
        x = self.encode(
            self.word_rnn, self.word_pooling, self.embedding(flat), ops.reshape(real, (-1, shape[2]))
        )
        x = ops.reshape(x, (*shape[:2], x.shape[-1]))
        return self.classifier(
            self.encode(self.sentence_rnn, self.sentence_pooling, x, ops.max(real, axis=-1))
        )

    def get_config(self):
        return {**super().get_config(), **self.arguments}
