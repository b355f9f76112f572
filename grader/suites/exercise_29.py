"""A Vision Transformer: patches by their values, the model by what its named weights must do.

What stands inside an encoder layer, and what the patches' projection is called, is the learner's. So the
model is compared with an oracle while its encoder layers are filled with zeros: a pre-norm layer then adds
nothing, and the logits follow from the named weights. The rest is judged by what changes of the input or of
weights do to the output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import LayerState, Submission

PATCHES, MODEL = "extract_patches", "VisionTransformer"
SIDE, PATCH, LAYERS, WIDTH, CLASSES, CHANNELS = 6, 2, 2, 8, 5, 3
COUNT = (SIDE // PATCH) ** 2
SIZES = {
    "image_size": SIDE,
    "patch_size": PATCH,
    "num_layers": LAYERS,
    "d_model": WIDTH,
    "num_heads": 2,
    "d_ff": 11,
    "num_classes": CLASSES,
    "channels": CHANNELS,
}
NAMED = ("class_token", "final_norm.gamma", "final_norm.beta", "head.kernel", "head.bias")

exercise = Exercise(
    number=29,
    title="A Vision Transformer",
    kind="keras",
    part="Keras layers and Transformers",
    implements=[PATCHES, MODEL],
    outputs={MODEL: ("logits",)},
    weights={MODEL: NAMED},
    lesson="13_vision_transformer#exercise-29-a-vision-transformer",
    minutes=40,
    difficulty=3,
    seconds=20.0,
    memory_mib=2048,
    forbidden=["tensorflow*", "torch*", "jax*"],
    hints=[
        "Patches: one reshape cuts both axes in two, (B, rows, P, columns, P, C); one transpose brings "
        "rows and columns side by side; one more reshape makes the patches flat. For the model, count the "
        "tokens: N patches and one class token, so N + 1 positions.",
        "The class token is a weight of shape (1, 1, d_model), made with add_weight: every image gets the "
        "same one, in front of its patches. Positions are added to all N + 1 tokens. After the last layer "
        "only place 0 goes through final_norm and head.",
        "grid = ops.reshape(images, (-1, rows, P, columns, P, C)); grid = ops.transpose(grid, (0, 1, 3, 2, "
        "4, 5)); ops.reshape(grid, (-1, rows * columns, P * P * C)). In call: first = "
        "ops.zeros_like(tokens[:, :1]) + self.class_token; x = ops.concatenate([first, tokens], axis=1) + "
        "self.position_embedding(ops.arange(N + 1)); the layers; self.head(self.final_norm(x)[:, 0]).",
    ],
)


@exercise.oracle(PATCHES)
def cut(images: np.ndarray, patch_size: int) -> np.ndarray:
    """Patch after patch, by slices."""
    height, width = images.shape[1:3]
    rows = range(0, height, patch_size)
    columns = range(0, width, patch_size)
    patches = [images[:, i : i + patch_size, j : j + patch_size] for i in rows for j in columns]
    return np.stack([patch.reshape(len(images), -1) for patch in patches], axis=1)


def position(layer: LayerState, number: int) -> np.ndarray:
    """One learned position, whether they are an Embedding or a weight, (N + 1, D) or (1, N + 1, D)."""
    path = next(path for path in layer.weights if path.startswith("position_embedding"))
    return layer[path].reshape(-1, layer["class_token"].shape[-1])[number]


def normalise(x: np.ndarray, layer: LayerState) -> np.ndarray:
    epsilon = layer.weights.get("final_norm.epsilon", 1e-6)
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return scaled * layer["final_norm.gamma"] + layer["final_norm.beta"]


def classify(
    layer: LayerState,
    images: np.ndarray,
    training: bool | None = None,
    *,
    token: Callable[[LayerState], np.ndarray] = lambda layer: (
        layer["class_token"].ravel() + position(layer, 0)
    ),
    norm: Callable[..., np.ndarray] = normalise,
    finishing: Callable[[np.ndarray], np.ndarray] = lambda logits: logits,
) -> np.ndarray:
    """The logits while no encoder layer adds anything; each keyword replaces one step by a mistaken one."""
    x = norm(token(layer), layer)
    logits = x @ layer["head.kernel"] + layer["head.bias"]
    return finishing(np.broadcast_to(logits, (len(images), *logits.shape)))


exercise.oracle(MODEL)(classify)


def cutting(id: str, explanation: str, wrong: Mapping[str, str], function: Callable[..., Any]) -> None:
    """Register a mistake of extract_patches."""
    exercise.misconception(id, explanation, wrong=wrong, target=PATCHES)(function)


def mistake(
    id: str, explanation: str, wrong: Mapping[str, str], on: Sequence[str] = (), **steps: Any
) -> None:
    """Register a mistake of the model that is the oracle with some steps replaced."""

    def function(layer: LayerState, *args: Any, **kwargs: Any) -> Any:
        return classify(layer, *args, **kwargs, **steps)

    exercise.misconception(id, explanation, wrong=wrong, on=on, target=MODEL)(function)


def regrouped(images: np.ndarray, patch_size: int, *axes: int) -> np.ndarray:
    """(B, rows, P, columns, P, C) with its axes in another order, then flat patches."""
    batch, height, width, channels = images.shape
    shape = (batch, height // patch_size, patch_size, width // patch_size, patch_size, channels)
    grid = images.reshape(shape).transpose(axes)
    return grid.reshape(batch, -1, patch_size * patch_size * channels)


GRID = "ops.transpose(grid, (0, 1, 3, 2, 4, 5))"
FLAT = "return ops.reshape(grid, (-1, rows * columns, patch_size * patch_size * channels))"
REFUSE = "if height % patch_size or width % patch_size:"
FIRST = "first = ops.zeros_like(tokens[:, :1]) + self.class_token"
JOIN = "x = ops.concatenate([first, tokens], axis=1)"
POSITIONS = "x = x + self.position_embedding(ops.arange(self.num_tokens))"
LOOP = "x = layer(x, training=training)"
RETURN = "return self.head(self.final_norm(x)[:, 0])"
MAKE_LAYERS = "[PreNormLayer(d_model, num_heads, d_ff, dropout) for _ in range(num_layers)]"
MAKE_POSITIONS = "self.position_embedding = layers.Embedding(self.num_tokens, d_model)"
MAKE_HEAD = "self.head = layers.Dense(num_classes)"
NORMED = "normed = self.attention_norm(x)"

cutting(
    "patches-column-major",
    "The patches go down first and then right; they go left to right, then down.",
    {GRID: "ops.transpose(grid, (0, 3, 1, 2, 4, 5))"},
    lambda images, patch_size: regrouped(images, patch_size, 0, 3, 1, 2, 4, 5),
)
cutting(
    "pixels-column-major",
    "Within a patch the pixels go down first and then right; they go left to right, then down.",
    {GRID: "ops.transpose(grid, (0, 1, 3, 4, 2, 5))"},
    lambda images, patch_size: regrouped(images, patch_size, 0, 1, 3, 4, 2, 5),
)
cutting(
    "channels-first",
    "Within a patch one channel comes after the other; the channels of a pixel stay together, last.",
    {GRID: "ops.transpose(grid, (0, 1, 3, 5, 2, 4))"},
    lambda images, patch_size: regrouped(images, patch_size, 0, 1, 3, 5, 2, 4),
)
cutting(
    "reshape-alone",
    "The image is only reshaped, which gives strips of rows and not squares. The axes of patches must be "
    "brought together by a transpose in between.",
    {GRID: "grid"},
    lambda images, patch_size: regrouped(images, patch_size, 0, 1, 2, 3, 4, 5),
)
cutting(
    "patches-not-flat",
    "The patches keep their square shape, (B, N, P, P, C); each must be one flat vector.",
    {FLAT: "return ops.reshape(grid, (-1, rows * columns, patch_size, patch_size, channels))"},
    lambda images, patch_size: cut(images, patch_size).reshape(
        len(images), -1, patch_size, patch_size, images.shape[-1]
    ),
)
cutting(
    "grid-kept",
    "The patches keep their grid, (B, rows, columns, P * P * C); they are a sequence of N = rows * "
    "columns.",
    {FLAT: "return ops.reshape(grid, (-1, rows, columns, patch_size * patch_size * channels))"},
    lambda images, patch_size: cut(images, patch_size).reshape(
        len(images), images.shape[1] // patch_size, images.shape[2] // patch_size, -1
    ),
)
cutting(
    "one-patch-per-image",
    "All patches of the batch are in one sequence; the batch axis must stay.",
    {FLAT: "return ops.reshape(grid, (1, -1, patch_size * patch_size * channels))"},
    lambda images, patch_size: cut(images, patch_size).reshape(
        1, -1, patch_size * patch_size * images.shape[-1]
    ),
)
exercise.behaviour(
    "cut-off-silently",
    "A size that is not divisible by patch_size must raise ValueError, in extract_patches and in the "
    "constructor; here rows and columns of pixels are lost, or the error comes later.",
    on=["no-error"],
    wrong={
        REFUSE: "height, width = height // patch_size * patch_size, width // patch_size * patch_size\n"
        "    images = images[:, :height, :width]\n"
        "    if False:",
        "if image_size % patch_size:": "if False:",
    },
)

mistake(
    "position-of-class-token-missing",
    "The class token gets no position: positions are added to all N + 1 tokens.",
    {
        JOIN: "tokens = tokens + self.position_embedding(ops.arange(1, self.num_tokens))\n        " + JOIN,
        POSITIONS: "",
    },
    token=lambda layer: layer["class_token"].ravel(),
)
mistake(
    "class-token-last",
    "The class token stands behind the patches; it stands in front of them, at place 0.",
    {JOIN: "x = ops.concatenate([tokens, first], axis=1)", RETURN: RETURN.replace("[:, 0]", "[:, -1]")},
    token=lambda layer: layer["class_token"].ravel() + position(layer, COUNT),
)
mistake(
    "final-norm-missing",
    "The head reads the class token as the last layer left it; final_norm comes before the head.",
    {RETURN: "self.final_norm(x)\n        return self.head(x[:, 0])"},
    norm=lambda x, layer: x,
)
mistake(
    "not-pre-norm",
    "An encoder layer whose weights are all zero must hand on what came in: pre-norm layers add to it. "
    "Yours normalise after the addition (post-norm), or leave the residual out.",
    {
        "x = x + self.dropout_layer(self.self_attention(normed, normed), training=training)": (
            "x = self.attention_norm(x + self.dropout_layer(self.self_attention(x, x), training=training))"
        ),
        "hidden = self.ffn_outer(self.ffn_inner(self.ffn_norm(x)))": (
            "hidden = self.ffn_outer(self.ffn_inner(x))"
        ),
        "return x + self.dropout_layer(hidden, training=training)": (
            "return self.ffn_norm(x + self.dropout_layer(hidden, training=training))"
        ),
    },
    token=lambda layer: 0 * position(layer, 0),
)
mistake(
    "softmax-on-logits",
    "The outputs went through a softmax: these are probabilities. Logits are asked for, and the loss takes "
    "from_logits=True.",
    {MAKE_HEAD: 'self.head = layers.Dense(num_classes, activation="softmax")'},
    finishing=reference.softmax,
)
mistake(
    "head-with-tanh",
    "The outputs went through a tanh; the head has no activation.",
    {MAKE_HEAD: 'self.head = layers.Dense(num_classes, activation="tanh")'},
    finishing=np.tanh,
)
mistake(
    "positions-scaled",
    "The tokens are multiplied by sqrt(d_model) before positions are added, as with word embeddings; not "
    "here.",
    {POSITIONS: POSITIONS.replace("x + self", "x * x.shape[-1] ** 0.5 + self")},
    token=lambda layer: layer["class_token"].ravel() * np.sqrt(WIDTH) + position(layer, 0),
)
exercise.behaviour(
    "patches-pooled",
    "The logits depend on the patches although no layer mixes them: the head reads their mean, or a patch. "
    "It reads place 0, the class token's.",
    wrong={RETURN: "return self.head(ops.mean(self.final_norm(x), axis=1))"},
)
exercise.behaviour(
    "positions-missing",
    "Patches can change places and nothing changes: no positions are added to them.",
    wrong={
        POSITIONS: "first = self.position_embedding(ops.arange(1))\n"
        "        x = x + ops.pad(first, [[0, self.num_tokens - 1], [0, 0]])"
    },
)
exercise.behaviour(
    "positions-misplaced",
    "When patches and their learned positions change places together, nothing may change; here it does. "
    "Patch n (row-major, from 0) gets position n + 1.",
    wrong={
        JOIN: "x = ops.concatenate([first, ops.flip(tokens, axis=1)], axis=1)",
    },
)
exercise.behaviour(
    "positions-not-counted",
    "There are not N + 1 learned positions of width d_model: one for each patch, and one for the class "
    "token.",
    wrong={MAKE_POSITIONS: "self.position_embedding = layers.Embedding(self.num_tokens + 5, d_model)"},
)
exercise.behaviour(
    "patches-ignored",
    "A change of the image changes nothing in the logits: the class token does not see the patches, or not "
    "all of them. It stands first, so a causal mask hides everything from it.",
    wrong={
        "self.self_attention(normed, normed)": "self.self_attention(normed, normed, use_causal_mask=True)"
    },
)
exercise.behaviour(
    "one-layer-repeated",
    "The encoder layers are one and the same object ([layer] * num_layers), so they share their weights. "
    "Make each one anew, in a comprehension.",
    wrong={MAKE_LAYERS: "[PreNormLayer(d_model, num_heads, d_ff, dropout)] * num_layers"},
)
exercise.behaviour(
    "num-layers-ignored",
    "The number of encoder layers is not num_layers.",
    wrong={MAKE_LAYERS: MAKE_LAYERS.replace("num_layers", "1")},
)
exercise.behaviour(
    "layer-skipped",
    "A layer of encoder_layers has no effect on the logits: each must be called, on what the one before "
    "returned.",
    wrong={LOOP: "x = self.encoder_layers[0](x, training=training)"},
)
exercise.behaviour(
    "class-token-drawn",
    "class_token is drawn anew, or is no weight: it is one trainable weight, made once with add_weight.",
    on=["no-weight:class_token", "no-weights", "misnamed"],
    wrong={FIRST: "first = keras.random.normal((ops.shape(tokens)[0], 1, tokens.shape[-1]))"},
)
exercise.behaviour(
    "made-in-call",
    "A sublayer is built inside call(): it starts with fresh random weights at every call and never "
    "learns. Make the sublayers once, in __init__.",
    on=["new-state"],
    wrong={
        "self.patch_projection(": "layers.Dense(self.sizes['d_model'])(",
        "self.patch_projection = layers.Dense(d_model)": "pass",
    },
)
exercise.behaviour(
    "dropout-at-inference",
    "Dropout is active outside training: hand `training` on as it comes, not as True.",
    wrong={LOOP: "x = layer(x, training=True)"},
)
exercise.behaviour(
    "no-dropout-in-training",
    "There is no dropout in training: hand `training` on as it comes, not as False.",
    wrong={
        LOOP: "x = layer(x, training=False)",
        "x = self.dropout_layer(x, training=training)": "pass",
    },
)
exercise.behaviour(
    "dropout-rate-ignored",
    "The rate `dropout` does not reach the layers, which use their own default.",
    wrong={MAKE_LAYERS: MAKE_LAYERS.replace(", dropout)", ")")},
)
exercise.behaviour(
    "gradient-stopped",
    "No gradient reaches some weights (stop_gradient, a detour over NumPy, a sublayer that nothing calls): "
    "they would never be trained.",
    wrong={JOIN: "x = ops.concatenate([first, ops.stop_gradient(tokens)], axis=1)"},
)
exercise.behaviour(
    "config-incomplete",
    "get_config leaves something out, so that the model cannot be built again from it.",
    wrong={'            "patch_size": patch_size,\n': ""},
)
exercise.behaviour(
    "not-compilable",
    "It works when it is called, and not when it is compiled: call looks at the values of tensors (if, "
    "float, NumPy).",
    wrong={RETURN: f"if float(ops.max(x)) > 1e8:\n            return None\n        {RETURN}"},
)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def pictures(rng: np.random.Generator, count: int) -> np.ndarray:
    return draw(rng, count, SIDE, SIDE, CHANNELS)


def model_of(submission: Submission, rng: np.random.Generator, dropout: float = 0.0) -> Any:
    """A model with known named weights and positions; what is inside its encoder layers is random."""
    model = submission.built(MODEL, rng, pictures(rng, 2), **SIZES, dropout=dropout)
    path = "position_embedding"
    found = model.facts(path, "final_norm.epsilon")
    if not isinstance(found[path], np.ndarray):  # a layer
        path = "position_embedding.embeddings"
        found.update(model.read(path))
    if found[path].size != (COUNT + 1) * WIDTH or found[path].shape[-1] != WIDTH:
        message = (
            f"{path} has shape {found[path].shape}; {COUNT + 1} positions of width {WIDTH} are needed."
        )
        submission.fail(message, "positions-not-counted")
    model.write({path: rng.normal(size=found[path].shape)})
    epsilon = found["final_norm.epsilon"]  # any small one will do
    if isinstance(epsilon, float):
        if not 0 < epsilon <= 0.01:
            message = f"final_norm has an epsilon of {epsilon:g}: it only keeps from dividing by 0."
            submission.fail(message)
        weights = {**model.state.weights, "final_norm.epsilon": np.array(epsilon)}
        model.state = replace(model.state, weights=weights)
    return model


def still(submission: Submission, rng: np.random.Generator, dropout: float = 0.0) -> Any:
    """The same with encoder layers of zeros."""
    model = model_of(submission, rng, dropout)
    for number in range(LAYERS):
        fill(submission, model, number, 0.0)
    return model


def fill(submission: Submission, model: Any, number: int, scale: float) -> None:
    """Fill one encoder layer, or say that it is not there."""
    path = f"encoder_layers.{number}"
    if getattr(model.facts(path)[path], "type", "") == "missing":
        submission.fail(f"There is no {path}; num_layers is {LAYERS}.", "num-layers-ignored")
    if not model.fill(path, scale, seed=number + 1):
        submission.fail(f"{path} has no weights.", "layer-skipped")


def lively(submission: Submission, rng: np.random.Generator, dropout: float = 0.0) -> Any:
    """The same with encoder layers of random weights, which mix the tokens well."""
    model = model_of(submission, rng, dropout)
    for number in range(LAYERS):
        fill(submission, model, number, 0.5)
    return model


def framed(submission: Submission, rng: np.random.Generator, dropout: float = 0.0) -> Any:
    """The same with encoder layers of zeros, once everything around them has been found right."""
    model = still(submission, rng, dropout)
    images = pictures(rng, 2)
    first, again = (logits_of(submission, model, images) for _ in range(2))
    if not same(first, again):
        drawn = any("class_token" in path for path in model.untouched(images))
        message = "Two calls with the same images, outside training, give different logits."
        submission.fail(message, "class-token-drawn" if drawn else "made-in-call")
    if not same(first[:1], first[1:]):
        message = "With encoder layers of zeros, two images give different logits."
        submission.fail(message, "patches-pooled")
    model.expect(images)
    return model


def sound(submission: Submission, rng: np.random.Generator) -> Any:
    """A model with lively layers, in which the frame is right and the image matters."""
    framed(submission, rng)
    model = lively(submission, rng)
    images = pictures(rng, 2)
    first, second = logits_of(submission, model, images)
    if not same(first, logits_of(submission, model, images)[0]):
        message = "Two calls with the same images, outside training, give different logits."
        submission.fail(message, "made-in-call")
    if same(first, second, 1e-6):
        submission.fail("Two different images have the same logits.", "patches-ignored")
    return model


def logits_of(submission: Submission, model: Any, images: np.ndarray, **kwargs: Any) -> np.ndarray:
    logits = model.output(images, **kwargs)
    if logits.shape != (len(images), CLASSES):
        submission.fail(f"Expected logits of shape {(len(images), CLASSES)}; received {logits.shape}.")
    return logits


def same(left: np.ndarray, right: np.ndarray, allowed: float = 1e-4) -> bool:
    return bool(np.max(np.abs(left - right)) <= allowed * max(1.0, float(np.max(np.abs(left)))))


@exercise.check("patches of one small image")
def small_patches(submission: Submission, rng: np.random.Generator) -> None:
    numbers = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    submission.expect(PATCHES, numbers, 2)
    submission.expect(PATCHES, np.arange(24, dtype=np.float32).reshape(1, 2, 6, 2), 2)


@exercise.check("patches of a batch, of other shapes and sizes")
def patches(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(PATCHES, draw(rng, 2, 4, 6, 3), 2)
    submission.expect(PATCHES, draw(rng, 3, 6, 9, 2), 3)
    submission.expect(PATCHES, draw(rng, 2, 3, 2, 4), 1)


@exercise.check("indivisible sizes raise ValueError")
def indivisible(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect_error(PATCHES, "ValueError", draw(rng, 1, 4, 5, 1), 2)
    submission.expect_error(PATCHES, "ValueError", draw(rng, 1, 7, 6, 1), 3)
    submission.expect_new_error(MODEL, "ValueError", **{**SIZES, "image_size": SIDE + 1})


@exercise.check("class token, position, final norm and head")
def frame(submission: Submission, rng: np.random.Generator) -> None:
    model = framed(submission, rng)
    model.expect(pictures(rng, 1))
    model.expect(pictures(rng, 3))


@exercise.check("every pixel counts")
def pixels(submission: Submission, rng: np.random.Generator) -> None:
    model = sound(submission, rng)
    image = pictures(rng, 1)
    places = [(i, j) for i in range(SIDE) for j in range(SIDE)]
    images = np.repeat(image, len(places) + 1, axis=0)
    for number, (i, j) in enumerate(places):
        images[number, i, j] += 3.0
    *changed, before = logits_of(submission, model, images)
    deaf = [place for place, logits in zip(places, changed, strict=True) if same(before, logits, 1e-6)]
    if deaf:
        message = (
            f"A change of the pixel at {deaf[0]} changes nothing ({len(deaf)} of {len(places)} do not)."
        )
        submission.fail(message, "patches-ignored")


@exercise.check("patches have learned positions")
def positions(submission: Submission, rng: np.random.Generator) -> None:
    images = pictures(rng, 2)
    submission.expect(PATCHES, images, PATCH)
    model = sound(submission, rng)
    order = rng.permutation(COUNT)
    while np.array_equal(order, np.arange(COUNT)):
        order = rng.permutation(COUNT)
    shuffled = reassembled(cut(images, PATCH)[:, order])
    before = logits_of(submission, model, images)
    if same(before, logits_of(submission, model, shuffled), 1e-6):
        submission.fail("With its patches shuffled an image has the same logits.", "positions-missing")
    path = next(path for path in model.state.weights if path.startswith("position_embedding"))
    table = model.state[path].copy()
    rows = table.reshape(COUNT + 1, WIDTH)
    model.write({path: rows[[0, *(order + 1)]].reshape(table.shape)})
    after = logits_of(submission, model, shuffled)
    model.write({path: table})
    if not same(before, after):
        message = "Patches and rows 1 to N of the positions were shuffled alike, and the logits changed."
        submission.fail(message, "positions-misplaced")


def reassembled(patches: np.ndarray) -> np.ndarray:
    """The image of row-major patches."""
    rows = SIDE // PATCH
    grid = patches.reshape(len(patches), rows, rows, PATCH, PATCH, CHANNELS)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(len(patches), SIDE, SIDE, CHANNELS)


@exercise.check("layers with weights of their own, each of them used")
def layers(submission: Submission, rng: np.random.Generator) -> None:
    model = sound(submission, rng)
    images = pictures(rng, 1)
    before = logits_of(submission, model, images)
    path = f"encoder_layers.{LAYERS}"
    if getattr(model.facts(path)[path], "type", "") != "missing":
        submission.fail(
            f"There is an encoder_layers.{LAYERS}; num_layers is {LAYERS}.", "num-layers-ignored"
        )
    for number in range(LAYERS):
        fill(submission, model, number, 0.0)
        without = logits_of(submission, model, images)
        fill(submission, model, number, 0.5)
        if same(before, without, 1e-6):
            message = f"Zeros in encoder_layers.{number} change nothing in the logits."
            submission.fail(message, "layer-skipped")
        if not same(before, logits_of(submission, model, images)):
            message = "Writing the weights of one layer changed another's."
            submission.fail(message, "one-layer-repeated")


@exercise.check("dropout in training only, at the given rate")
def dropout(submission: Submission, rng: np.random.Generator) -> None:
    images = pictures(rng, 2)
    model = sound(submission, rng)
    if not same(logits_of(submission, model, images), logits_of(submission, model, images, training=True)):
        submission.fail("With dropout=0.0 training changes the logits.", "dropout-rate-ignored")
    model = lively(submission, rng, dropout=0.5)
    quiet = [logits_of(submission, model, images, training=False) for _ in range(2)]
    if not same(*quiet):
        submission.fail("With training=False two calls give different logits.", "dropout-at-inference")
    first, second = (logits_of(submission, model, images, training=True) for _ in range(2))
    if same(first, quiet[0], 1e-3) or same(first, second, 1e-3):
        message = "With training=True and dropout=0.5 the logits are as without dropout."
        submission.fail(message, "no-dropout-in-training")


@exercise.check("gradients reach every weight")
def gradients(submission: Submission, rng: np.random.Generator) -> None:
    model = sound(submission, rng)
    images = pictures(rng, 3)
    logits_of(submission, model, images)
    missed = model.untouched(images)
    # A bias that every key shares adds the same to all scores, which softmax does not see.
    missed = [path for path in missed if "key" not in path]
    trainable = {weight.path for weight in model.inventory() if weight.trainable}
    if len(trainable) < len(NAMED) + 1:
        submission.fail(f"There are only {len(trainable)} trainable weights.", "gradient-stopped")
    if missed:
        submission.fail(f"No gradient reaches {missed[0]}.", "gradient-stopped")


@exercise.check("get_config, from_config, and saved weights")
def round_trips(submission: Submission, rng: np.random.Generator) -> None:
    model = sound(submission, rng)
    images = pictures(rng, 2)
    before = logits_of(submission, model, images)
    with submission.suspecting("config-incomplete"):
        other = model.reloaded(images)
        after = logits_of(submission, other, images)
    if not same(before, after):
        submission.fail("A model rebuilt from get_config, with the saved weights, gives other logits.")


@exercise.check("under jit_compile", costly=True)
def compiled(submission: Submission, rng: np.random.Generator) -> None:
    sound(submission, rng)
    model = framed(submission, rng)
    images = pictures(rng, 2)
    with submission.suspecting("not-compilable"):
        model.expect_compiled(images)
