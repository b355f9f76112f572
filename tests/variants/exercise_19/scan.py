"""ops.scan for the loop, logits of all steps at once; built beforehand: a scan cannot make weights."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class BahdanauAttention(layers.Layer):
    """Given: the layer of exercise 17. One query per example over a sequence of values."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.query_dense = layers.Dense(units, name="query_dense")
        self.value_dense = layers.Dense(units, name="value_dense")
        self.score_dense = layers.Dense(1, name="score_dense")
        self.supports_masking = True  # values may carry a Keras mask, which ends here

    def call(self, query, values, mask=None):
        """Return the context (B, Dv) and the weights (B, T)."""
        hidden = ops.tanh(ops.expand_dims(self.query_dense(query), axis=1) + self.value_dense(values))
        scores = ops.squeeze(self.score_dense(hidden), axis=-1)
        if mask is not None:
            mask = ops.cast(mask, "bool")
            scores = ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=-1)
        if mask is not None:
            weights = ops.where(mask, weights, 0.0)
        return ops.sum(ops.expand_dims(weights, axis=-1) * values, axis=1), weights

    def compute_mask(self, inputs, mask=None):
        """Return no mask: context and weights have no time axis to be masked."""

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="attention_dojo")
class Encoder(layers.Layer):
    """Reads the source with an LSTM.

    Args:
        vocab_size: Number of tokens, padding (0) included.
        embedding_dim: Width of the embeddings.
        units: Width of the LSTM.
    """

    def __init__(self, vocab_size, embedding_dim, units, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.embedding_dim = embedding_dim
        self.units = units
        self.embedding = layers.Embedding(vocab_size, embedding_dim, name="embedding")
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True, name="lstm")

    def call(self, tokens):
        """Return the outputs (B, T, units), h (B, units) and c (B, units) for tokens (B, T)."""
        embedded = self.embedding(tokens)  # (B, T, E)
        outputs, h, c = self.lstm(embedded, mask=ops.not_equal(tokens, 0))
        return outputs, h, c

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
        }


@keras.saving.register_keras_serializable(package="attention_dojo")
class Decoder(layers.Layer):
    """Writes the target, one token a step.

    Args:
        vocab_size: Number of tokens, padding (0) included.
        embedding_dim: Width of the embeddings.
        units: Width of the LSTM cell and of the attention's hidden layer.
    """

    def __init__(self, vocab_size, embedding_dim, units, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.embedding_dim = embedding_dim
        self.units = units
        self.embedding = layers.Embedding(vocab_size, embedding_dim, name="embedding")
        self.attention = BahdanauAttention(units, name="attention")
        self.lstm_cell = layers.LSTMCell(units, name="lstm_cell")
        self.output_dense = layers.Dense(vocab_size, name="output_dense")
        self.embedding.build()
        self.attention.query_dense.build((None, units))
        self.attention.value_dense.build((None, None, units))
        self.attention.score_dense.build((None, None, units))
        self.lstm_cell.build((None, embedding_dim + units))
        self.output_dense.build((None, 2 * units))

    def step(self, token, states, encoder_outputs, mask):
        """Return logits (B, V), the new states [h, c] and the weights (B, T) for token (B,)."""
        context, weights = self.attention(states[0], encoder_outputs, mask=mask)  # (B, units), (B, T)
        inputs = ops.concatenate([self.embedding(token), context], axis=-1)  # (B, E + units)
        h, states = self.lstm_cell(inputs, states)
        logits = self.output_dense(ops.concatenate([h, context], axis=-1))  # (B, V)
        return logits, states, weights

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
        }


@keras.saving.register_keras_serializable(package="attention_dojo")
class Seq2Seq(keras.Model):
    """Encoder and decoder, trained together by teacher forcing.

    Args:
        source_vocab: Number of source tokens, padding (0) included.
        target_vocab: Number of target tokens, padding (0) included.
        embedding_dim: Width of both embeddings.
        units: Width of the encoder's LSTM and the decoder's LSTM cell.
    """

    def __init__(self, source_vocab, target_vocab, embedding_dim, units, **kwargs):
        super().__init__(**kwargs)
        self.source_vocab = source_vocab
        self.target_vocab = target_vocab
        self.embedding_dim = embedding_dim
        self.units = units
        self.encoder = Encoder(source_vocab, embedding_dim, units, name="encoder")
        self.decoder = Decoder(target_vocab, embedding_dim, units, name="decoder")

    def call(self, inputs):
        """Return the logits (B, T_out, V) for inputs (source (B, T), target_in (B, T_out))."""
        source, target_in = inputs
        mask = ops.not_equal(source, 0)  # (B, T)
        outputs, h, c = self.encoder(source)

        def one(states, token):
            _, (h, c), weights = self.decoder.step(token, states, outputs, mask)
            context = ops.sum(weights[..., None] * outputs, axis=1)
            return [h, c], [h, context]

        _, (h, context) = ops.scan(one, [h, c], ops.transpose(target_in))
        logits = self.decoder.output_dense(ops.concatenate([h, context], axis=-1))  # (T_out, B, V)
        return ops.transpose(logits, (1, 0, 2))

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {
            **super().get_config(),
            "source_vocab": self.source_vocab,
            "target_vocab": self.target_vocab,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
        }
