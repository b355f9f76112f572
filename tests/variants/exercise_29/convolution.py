"""The projection as a strided convolution; patches by einsum; the class token a flat weight."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="attention_dojo")
class PreNormLayer(layers.Layer):
    """Given: an encoder layer that normalises before each sublayer, and adds the result to what came in."""

    def __init__(self, d_model, num_heads, d_ff, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.ffn_norm = layers.LayerNormalization(epsilon=1e-6)
        self.ffn_inner = layers.Dense(d_ff, activation="gelu")
        self.ffn_outer = layers.Dense(d_model)
        self.dropout_layer = layers.Dropout(dropout)

    def call(self, x, training=None):
        """Return the new states (B, T, d_model)."""
        normed = self.attention_norm(x)
        x = x + self.dropout_layer(self.self_attention(normed, normed), training=training)
        hidden = self.ffn_outer(self.ffn_inner(self.ffn_norm(x)))
        return x + self.dropout_layer(hidden, training=training)

    def get_config(self):
        """Return what the constructor needs to build this layer again."""
        return {**super().get_config(), **self.sizes}


def extract_patches(images, patch_size):
    """Cut images (B, H, W, C) into patches (B, N, patch_size * patch_size * C)."""
    if images.shape[1] % patch_size or images.shape[2] % patch_size:
        raise ValueError("patch_size does not divide the image")
    rows, columns, channels = images.shape[1] // patch_size, images.shape[2] // patch_size, images.shape[3]
    grid = ops.reshape(images, (-1, rows, patch_size, columns, patch_size, channels))
    return ops.reshape(ops.einsum("brpcqk->brcpqk", grid), (-1, rows * columns, patch_size**2 * channels))


@keras.saving.register_keras_serializable(package="attention_dojo")
class VisionTransformer(keras.Model):
    """Classifies images with a Transformer encoder over their patches.

    Args:
        image_size: Height and width of the images.
        patch_size: Height and width of a patch; divides image_size.
        num_layers: Number of encoder layers.
        d_model: Width of the tokens.
        num_heads: Heads of every attention.
        d_ff: Width inside the feed-forward networks.
        num_classes: Number of logits.
        channels: Channels of the images.
        dropout: Rate in the layers.
    """

    def __init__(
        self,
        image_size,
        patch_size,
        num_layers,
        d_model,
        num_heads,
        d_ff,
        num_classes,
        channels=1,
        dropout=0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if image_size % patch_size:
            raise ValueError(f"image_size={image_size} is not divisible by patch_size={patch_size}")
        self.sizes = {
            "image_size": image_size,
            "patch_size": patch_size,
            "num_layers": num_layers,
            "d_model": d_model,
            "num_heads": num_heads,
            "d_ff": d_ff,
            "num_classes": num_classes,
            "channels": channels,
            "dropout": dropout,
        }
        self.patch_size = patch_size
        self.num_tokens = (image_size // patch_size) ** 2 + 1
        self.patch_projection = layers.Conv2D(d_model, patch_size, strides=patch_size)
        self.class_token = self.add_weight(shape=(d_model,), initializer="zeros", name="class_token")
        self.position_embedding = layers.Embedding(self.num_tokens, d_model)
        self.position_embedding.build()
        self.dropout_layer = layers.Dropout(dropout)
        self.encoder_layers = [PreNormLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)]
        self.final_norm = layers.LayerNormalization(epsilon=1e-6)
        self.head = layers.Dense(num_classes)

    def call(self, images, training=None):
        """Return the logits (B, num_classes) for images (B, image_size, image_size, channels)."""
        grid = self.patch_projection(images)
        tokens = ops.reshape(grid, (-1, self.num_tokens - 1, grid.shape[-1]))
        first = ops.broadcast_to(self.class_token, (ops.shape(tokens)[0], 1, tokens.shape[-1]))
        x = ops.concatenate([first, tokens], axis=1)
        x = x + ops.expand_dims(self.position_embedding.embeddings, 0)
        for layer in self.encoder_layers:
            x = layer(self.dropout_layer(x, training=training))
        return self.head(ops.take(self.final_norm(x), 0, axis=1))

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {**super().get_config(), **self.sizes}
