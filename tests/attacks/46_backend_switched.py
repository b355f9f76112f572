"""Changes the backend, the default precision and the random seeds of Keras under the judge.

exercise: 17
stop after: 3
"""

import keras
from keras import layers, ops


class BahdanauAttention(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.query_dense = layers.Dense(units, name="query_dense")
        self.value_dense = layers.Dense(units, name="value_dense")
        self.score_dense = layers.Dense(1, name="score_dense")

    def call(self, query, values, mask=None):
        hidden = ops.tanh(self.query_dense(query)[:, None] + self.value_dense(values))
        weights = ops.softmax(self.score_dense(hidden)[..., 0], axis=-1)
        return ops.mean(values, axis=1), weights

    def get_config(self):
        return {**super().get_config(), "units": self.units}


import importlib
import os

os.environ["KERAS_BACKEND"] = "numpy"
keras.config.set_floatx("float16")
keras.config.disable_traceback_filtering()
keras.config.set_epsilon(1e9)
keras.config.set_image_data_format("channels_first")
keras.utils.set_random_seed(0)
keras.mixed_precision.set_global_policy("mixed_bfloat16")
keras.config.save if hasattr(keras.config, "save") else None
