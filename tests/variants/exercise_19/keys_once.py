"""Keys computed once for all steps, the cell written out, and an RNN over an LSTMCell as the encoder."""

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
        self.lstm = layers.RNN(layers.LSTMCell(units), return_sequences=True, return_state=True)

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

    def keys(self, encoder_outputs):
        return self.attention.value_dense(encoder_outputs)

    def step(self, token, states, encoder_outputs, mask):
        return self.step_with(self.keys(encoder_outputs), token, states, encoder_outputs, mask)

    def step_with(self, keys, token, states, values, mask):
        h, c = states
        query = self.attention.query_dense(h)[:, None]
        scores = self.attention.score_dense(ops.tanh(query + keys))[..., 0]
        scores = scores - 1e9 * (1 - ops.cast(mask, scores.dtype))
        weights = ops.softmax(scores)
        context = ops.einsum("bt,btu->bu", weights, values)
        x = ops.concatenate([self.embedding(token), context], -1)
        if not self.lstm_cell.built:
            self.lstm_cell.build(x.shape)
        cell = self.lstm_cell
        gates = ops.matmul(x, cell.kernel) + ops.matmul(h, cell.recurrent_kernel) + cell.bias
        i, f, g, o = ops.split(gates, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return self.output_dense(ops.concatenate([h, context], -1)), [h, c], weights

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
        states = [h, c]
        logits = []
        keys = self.decoder.keys(outputs)
        for t in range(target_in.shape[1]):
            logits_t, states, _ = self.decoder.step_with(keys, target_in[:, t], states, outputs, mask)
            logits.append(logits_t)
        return ops.stack(logits, axis=1)  # (B, T_out, V)

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {
            **super().get_config(),
            "source_vocab": self.source_vocab,
            "target_vocab": self.target_vocab,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
        }
