"""Masks of words come from Embedding(mask_zero=True) by themselves; a Layer, not a Model."""

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


class HierarchicalAttention(keras.layers.Layer):
    def __init__(self, vocab_size, embedding_dim, units, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.config = (vocab_size, embedding_dim, units, num_classes)
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim, mask_zero=True)
        for level in ("word", "sentence"):
            gru = keras.layers.GRU(units, return_sequences=True)
            setattr(self, f"{level}_rnn", keras.layers.Bidirectional(gru, merge_mode="concat"))
            setattr(self, f"{level}_pooling", AttentionPooling(units))
        self.classifier = keras.layers.Dense(num_classes)

    def call(self, tokens):
        sentences, words = tokens.shape[1], tokens.shape[2]
        encoded = self.word_rnn(self.embedding(ops.reshape(tokens, (-1, words))))
        vectors = ops.reshape(self.word_pooling(encoded)[0], (-1, sentences, encoded.shape[-1]))
        mask = ops.any(tokens > 0, axis=2)
        return self.classifier(self.sentence_pooling(self.sentence_rnn(vectors, mask=mask), mask)[0])

    def get_config(self):
        names = ("vocab_size", "embedding_dim", "units", "num_classes")
        return {**super().get_config(), **dict(zip(names, self.config, strict=True))}
