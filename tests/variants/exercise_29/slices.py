"""Patches by slices, positions as a plain weight, post-processing in another order."""

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
    _, height, width, channels = images.shape
    if height % patch_size != 0 or width % patch_size != 0:
        raise ValueError("the image cannot be divided")
    patches = []
    for top in range(0, height, patch_size):
        for left in range(0, width, patch_size):
            patch = images[:, top : top + patch_size, left : left + patch_size, :]
            patches.append(ops.reshape(patch, (-1, patch_size**2 * channels)))
    return ops.stack(patches, axis=1)


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
        self.patch_projection = layers.Dense(d_model)
        self.class_token = self.add_weight(
            shape=(1, 1, d_model),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="class_token",
        )
        self.position_embedding = self.add_weight(
            shape=(1, self.num_tokens, d_model), initializer="random_normal", name="position_embedding"
        )
        self.dropout_layer = layers.Dropout(dropout)
        self.encoder_layers = [PreNormLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)]
        self.final_norm = layers.LayerNormalization(epsilon=1e-6)
        self.head = layers.Dense(num_classes)

    def call(self, images, training=None):
        """Return the logits (B, num_classes) for images (B, image_size, image_size, channels)."""
        patches = extract_patches(images, self.patch_size)
        tokens = self.patch_projection(patches) + self.position_embedding[:, 1:]
        first = ops.ones((ops.shape(images)[0], 1, 1)) * (self.class_token + self.position_embedding[:, :1])
        x = self.dropout_layer(ops.concatenate([first, tokens], axis=1), training=training)
        for layer in self.encoder_layers:
            x = layer(x, training=training)
        return self.head(self.final_norm(x[:, 0]))

    def get_config(self):
        """Return what the constructor needs to build this model again."""
        return {**super().get_config(), **self.sizes}
