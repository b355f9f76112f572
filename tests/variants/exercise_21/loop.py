"""A Python loop over the sentences; each GRU as an RNN over a GRUCell."""

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
    def __init__(self, vocab_size, embedding_dim, units, num_classes):
        super().__init__()
        self.arguments = (vocab_size, embedding_dim, units, num_classes)

        def both_ways():
            cell = keras.layers.GRUCell(units)
            return keras.layers.Bidirectional(keras.layers.RNN(cell, return_sequences=True))

        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.word_rnn, self.sentence_rnn = both_ways(), both_ways()
        self.word_pooling, self.sentence_pooling = AttentionPooling(units), AttentionPooling(units)
        self.classifier = keras.layers.Dense(num_classes)

    def call(self, tokens, training=None):
        vectors, real = [], []
        for index in range(tokens.shape[1]):
            sentence = tokens[:, index]
            mask = ops.not_equal(sentence, 0)
            states = self.word_rnn(self.embedding(sentence), mask=mask)
            vectors.append(self.word_pooling(states, mask=mask)[0])
            real.append(ops.any(mask, axis=1))
        mask = ops.stack(real, axis=1)
        states = self.sentence_rnn(ops.stack(vectors, axis=1), mask=mask)
        return self.classifier(self.sentence_pooling(states, mask=mask)[0])

    def get_config(self):
        names = ("vocab_size", "embedding_dim", "units", "num_classes")
        return dict(zip(names, self.arguments, strict=True))
