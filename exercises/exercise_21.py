"""Exercise 21: hierarchical attention, for documents made of sentences made of words.

tokens is (B, S, W): S sentences of W words, and token 0 is padding wherever it stands. The same two steps
are taken twice, first over the words of each sentence, then over the sentences of each document:

    word states       = bidirectional GRU over the embedded words   (B * S, W, 2 * units)
    sentence vectors  = attention pooling of the word states        (B, S, 2 * units)
    sentence states   = bidirectional GRU over the sentences        (B, S, 2 * units)
    document vectors  = attention pooling of the sentence states    (B, 2 * units)
    logits            = a Dense layer                               (B, num_classes)

(Yang et al. 2016, Hierarchical Attention Networks for Document Classification.) The sublayers are called
embedding, word_rnn (Bidirectional, over a GRU of `units`, directions concatenated), word_pooling
(AttentionPooling of `units`), sentence_rnn, sentence_pooling and classifier. Padding must not matter: a
GRU skips it, pooling gives it no weight, and a sentence that is all padding changes nothing.

AttentionPooling is given. Not allowed: Keras's own attention layers.

Check your work with:  python -m grader exercise_21
"""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class AttentionPooling(layers.Layer):
    """Given: the layer of exercise 18. States (B, T, D) become a vector (B, D) and weights (B, T)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.project = layers.Dense(units, activation="tanh", name="project")
        self.score = layers.Dense(1, use_bias=False, name="score")

    def call(self, states, mask=None):
        """Return the pooled vector (B, D) and the weights (B, T)."""
        scores = ops.squeeze(self.score(self.project(states)), axis=-1)
        if mask is not None:
            mask = ops.cast(mask, "bool")
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if mask is not None:
            weights = ops.where(mask, weights, 0.0)
        return ops.sum(ops.expand_dims(weights, axis=-1) * states, axis=1), weights

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="attention_dojo")
class HierarchicalAttention(keras.Model):
    """Classifies documents by attention over words, then over sentences.

    Args:
        vocab_size: Number of tokens, padding (0) included.
        embedding_dim: Width of the word embeddings.
        units: Width of each GRU direction and of both poolings' hidden layers.
        num_classes: Number of logits.
    """

    def __init__(self, vocab_size, embedding_dim, units, num_classes, **kwargs):
        super().__init__(**kwargs)
        raise NotImplementedError("Write this part.")

    def call(self, tokens):
        """Return the logits (B, num_classes) for tokens (B, S, W)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        raise NotImplementedError("Write this part.")
