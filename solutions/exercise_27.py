"""Exercise 27: the Transformer.

An encoder reads the source, a decoder writes the target. Tokens are integers, and token 0 is padding.

    memory  = source_embedding, then num_layers encoder layers     (B, S, d_model)
    states  = target_embedding, then num_layers decoder layers     (B, T, d_model)
    logits  = output_dense of the states                           (B, T, target_vocab)

(Vaswani et al. 2017, Attention Is All You Need, section 3.) Every decoder layer attends to the memory, the
output of the last encoder layer. call((source (B, S), target_in (B, T))) returns the logits; at position t
they predict the token that follows target_in[:, t], from the tokens up to t.

The sublayers are called source_embedding and target_embedding (PositionalEmbedding), encoder_layers and
decoder_layers (lists), and output_dense (Dense of target_vocab, no activation). Every layer of a list has
weights of its own. Padding in the source must not matter, so no layer may attend to it: the masks are yours
to make, and to pass to every layer. A source that is all padding gives finite logits. Padding stands at the
end of a target, and the logits there are free. A sequence longer than max_length raises ValueError.

PositionalEmbedding, TransformerEncoderLayer and TransformerDecoderLayer are given.

Check your work with:  python -m grader exercise_27
"""

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
        ### BEGIN SOLUTION
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
        ### END SOLUTION

    def call(self, inputs, training=None):
        """Return the logits (B, T, target_vocab) for inputs (source (B, S), target_in (B, T))."""
        ### BEGIN SOLUTION
        source, target_in = inputs
        real = ops.not_equal(source, 0)  # (B, S)
        memory = self.source_embedding(source)  # (B, S, d_model)
        for layer in self.encoder_layers:
            memory = layer(memory, attention_mask=ops.expand_dims(real, 1), training=training)
        x = self.target_embedding(target_in)  # (B, T, d_model)
        for layer in self.decoder_layers:
            x = layer(x, memory, memory_mask=real, training=training)
        return self.output_dense(x)
        ### END SOLUTION

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        ### BEGIN SOLUTION
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
        ### END SOLUTION
