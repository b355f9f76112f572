"""Full (B, T, T) masks, encode and decode as methods, logits by einsum."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class PositionalEmbedding(layers.Layer):
    """Given: the layer of exercise 24. Tokens (B, T) become vectors (B, T, d_model)."""

    def __init__(self, vocab_size, d_model, max_length, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.d_model, self.max_length = vocab_size, d_model, max_length
        self.token_embedding = layers.Embedding(vocab_size, d_model, mask_zero=True, name="token_embedding")
        columns = np.arange(d_model)
        angles = np.arange(max_length)[:, None] / 10000.0 ** (2 * (columns // 2) / d_model)
        self.table = np.where(columns % 2 == 0, np.sin(angles), np.cos(angles)).astype("float32")

    def call(self, tokens):
        """Return the vectors."""
        length = tokens.shape[1]
        if length > self.max_length:
            raise ValueError(f"a sequence of {length} tokens is longer than max_length={self.max_length}")
        vectors = self.token_embedding(tokens) * self.d_model**0.5
        return vectors + ops.cast(self.table[:length], vectors.dtype)

    def compute_mask(self, tokens, mask=None):
        """Return which tokens are real."""
        return ops.not_equal(tokens, 0)

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        sizes = {"vocab_size": self.vocab_size, "d_model": self.d_model, "max_length": self.max_length}
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerEncoderLayer(layers.Layer):
    """Given: the layer of exercise 25. attention_mask, (B, T, T) or (B, 1, T): True may attend."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
        self.supports_masking = True  # x may carry a Keras mask, which ends here: see compute_mask
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff, activation="relu")
        self.ffn_outer = layers.Dense(d_model)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_layer = layers.Dropout(dropout)

    def call(self, x, attention_mask=None, training=None):
        """Return the new states (B, T, d_model)."""
        attended = self.self_attention(x, x, attention_mask=attention_mask)
        x = self.attention_norm(x + self.dropout_layer(attended, training=training))
        hidden = self.ffn_outer(self.ffn_inner(x))
        return self.ffn_norm(x + self.dropout_layer(hidden, training=training))

    def compute_mask(self, inputs, mask=None):
        """Return no mask: what may be attended to is said by the mask that is passed."""

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable(package="attention_dojo")
class TransformerDecoderLayer(layers.Layer):
    """Given: the layer of exercise 26. memory_mask, (B, S): True may be attended to."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
        self.supports_masking = True  # x may carry a Keras mask, which ends here: see compute_mask
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.self_attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.cross_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.cross_attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff, activation="relu")
        self.ffn_outer = layers.Dense(d_model)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_layer = layers.Dropout(dropout)

    def call(self, x, memory, memory_mask=None, training=None):
        """Return the new states (B, T, d_model); position t sees positions up to t."""
        attended = self.self_attention(x, x, use_causal_mask=True)
        x = self.self_attention_norm(x + self.dropout_layer(attended, training=training))
        mask = None if memory_mask is None else ops.expand_dims(memory_mask, 1)  # (B, 1, S)
        attended = self.cross_attention(x, memory, attention_mask=mask)
        x = self.cross_attention_norm(x + self.dropout_layer(attended, training=training))
        hidden = self.ffn_outer(self.ffn_inner(x))
        return self.ffn_norm(x + self.dropout_layer(hidden, training=training))

    def compute_mask(self, inputs, mask=None):
        """Return no mask: what may be attended to is said by the mask that is passed."""

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable(package="attention_dojo")
class Transformer(keras.Model):
    """An encoder-decoder Transformer.

    Args:
        num_layers: Layers of the encoder, and of the decoder.
        d_model: Width of the states.
        num_heads: Heads of every attention.
        d_ff: Width inside the feed-forward networks.
        source_vocab: Number of source tokens, padding (0) included.
        target_vocab: Number of target tokens, padding (0) included.
        max_length: Length of the longest source and target.
        dropout: Rate in the layers.
    """

    def __init__(
        self,
        num_layers,
        d_model,
        num_heads,
        d_ff,
        source_vocab,
        target_vocab,
        max_length,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.d_model = d_model
        self.num_heads = num_heads
        self.d_ff = d_ff
        self.source_vocab = source_vocab
        self.target_vocab = target_vocab
        self.max_length = max_length
        self.dropout = dropout
        self.source_embedding = PositionalEmbedding(source_vocab, d_model, max_length)
        self.target_embedding = PositionalEmbedding(target_vocab, d_model, max_length)
        self.encoder_layers = [
            TransformerEncoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)
        ]
        self.decoder_layers = [
            TransformerDecoderLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)
        ]
        self.output_dense = layers.Dense(target_vocab)
        self.output_dense.build((None, None, d_model))

    def call(self, inputs, training=None):
        """Return the logits (B, T, target_vocab) for inputs (source (B, S), target_in (B, T))."""
        source, target_in = inputs
        return self.decode(target_in, self.encode(source, training), ops.cast(source, "bool"), training)

    def encode(self, source, training=None):
        """Source (B, S) to memory (B, S, d_model)."""
        keys = ops.cast(source != 0, "int32")[:, None, :]
        mask = ops.ones_like(source)[:, :, None] * keys
        x = self.source_embedding(source)
        for layer in self.encoder_layers:
            x = layer(x, mask, training=training)
        return x

    def decode(self, target_in, memory, real, training=None):
        """Target (B, T) to logits (B, T, V)."""
        x = self.target_embedding(target_in)
        for number in range(len(self.decoder_layers)):
            x = self.decoder_layers[number](x, memory, real, training=training)
        return ops.einsum("btd,dv->btv", x, self.output_dense.kernel) + self.output_dense.bias

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "d_model": self.d_model,
            "num_heads": self.num_heads,
            "d_ff": self.d_ff,
            "source_vocab": self.source_vocab,
            "target_vocab": self.target_vocab,
            "max_length": self.max_length,
            "dropout": self.dropout,
        }
