"""Exercise 19: an LSTM encoder-decoder with Bahdanau attention.

The encoder reads the source and keeps what it knew at every position. The decoder writes the target one
token at a time, and looks back at the source before each. Tokens are integers, and token 0 is padding.

    Encoder   embedding (Embedding), then lstm (LSTM of `units`)
              call(tokens (B, T)) -> outputs (B, T, units), h (B, units), c (B, units)
              outputs are the LSTM's at every position (nobody looks at those at padding), h and c its
              states after the last real token.

    Decoder   embedding, attention (BahdanauAttention of `units`), lstm_cell (LSTMCell of `units`),
              output_dense (Dense of vocab_size)
              step(token (B,), states [h, c], encoder_outputs (B, T, units), mask (B, T))
                  -> logits (B, V), states [h, c], weights (B, T)

    one step  context, weights = attention with h as the query, over encoder_outputs   (B, units)
              h, c = one step of lstm_cell on [embedded token, context]
              logits = output_dense of [h, context], with the new h

    Seq2Seq   encoder, decoder
              call((source (B, T), target_in (B, T_out))) -> logits (B, T_out, V)

(Bahdanau et al. 2015, sections 3.1 and 3.2; the states are those of an LSTM.) [a, b] is a and b side by
side along the last axis. `mask` is True where the source is real. The decoder starts from the encoder's h
and c. Training is by teacher forcing: step t reads target_in[:, t], whatever was predicted before, so the
logits at t depend on the targets up to t only. Padding stands at the end; in the source it changes nothing,
in a target its logits are free. There is no dropout. T_out is static: a Python loop over it is fine. `step`
also works on a Decoder that was never called before.

BahdanauAttention is given. Not allowed: Keras's own attention layers.

Check your work with:  python -m grader exercise_19
"""

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
        raise NotImplementedError("Write this part.")

    def call(self, tokens):
        """Return the outputs (B, T, units), h (B, units) and c (B, units) for tokens (B, T)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")


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
        raise NotImplementedError("Write this part.")

    def step(self, token, states, encoder_outputs, mask):
        """Return logits (B, V), the new states [h, c] and the weights (B, T) for token (B,)."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        raise NotImplementedError("Write this part.")


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
        raise NotImplementedError("Write this part.")

    def call(self, inputs):
        """Return the logits (B, T_out, V) for inputs (source (B, T), target_in (B, T_out))."""
        raise NotImplementedError("Write this part.")

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        raise NotImplementedError("Write this part.")
