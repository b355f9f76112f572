"""What a session can do with Keras layers and models: the operations of Keras exercises."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from . import wire
from .session import MAX_TEXT, Session, portable

# Said of every model whose sublayers build themselves, which is how these exercises are written.
warnings.filterwarnings("ignore", message=r"`build\(\)` was called on layer")


def to_numpy(value: Any) -> Any:
    """Turn tensors in a nested structure into arrays; bfloat16 becomes float32."""
    if isinstance(value, list | tuple):
        return [to_numpy(item) for item in value]
    if isinstance(value, dict):
        return {str(key)[:MAX_TEXT]: to_numpy(item) for key, item in value.items()}
    if isinstance(value, keras.Variable):
        value = value.value
    if keras.ops.is_tensor(value):
        array = np.asarray(keras.ops.convert_to_numpy(value))
        return array.astype("float32") if array.dtype.name == "bfloat16" else array
    return portable(value)


def _attribute(owner: Any, path: str) -> Any:
    for name in path.split("."):
        owner = owner[int(name)] if name.isdecimal() else getattr(owner, name)
    return owner


def _there(owner: Any, path: str) -> bool:
    """Tell whether a path leads to a sublayer."""
    try:
        return bool(path) and isinstance(_attribute(owner, path), keras.Layer)
    except (AttributeError, IndexError, TypeError, ValueError):
        return False


def _waits(owner: Any, path: str) -> bool:
    """Tell whether one of Keras's own layers on a path waits for a call before it makes its parts."""
    for name in path.split("."):
        try:
            owner = _attribute(owner, name)
        except (AttributeError, IndexError, TypeError, ValueError):
            return False
        if type(owner).__module__.startswith("keras.") and not getattr(owner, "built", True):
            return True
    return False


def _variable(owner: Any, path: str) -> Any:
    found = _attribute(owner, path)
    if not isinstance(found, keras.Variable):
        raise TypeError(f"{path} is a {type(found).__name__}, not a weight")
    return found


def do_new(self: Session, name: str, args: list[Any], kwargs: dict[str, Any]) -> wire.Reply:
    """Construct a class of the submission; the reply is a handle."""
    return self.invoke(self.find(name), args, kwargs, convert=self.keep)


def do_apply(
    self: Session, target: wire.Handle, method: str, args: list[Any], kwargs: dict[str, Any]
) -> wire.Reply:
    """Call an object, or one of its methods."""
    owner = self.objects[target.number]
    function = getattr(owner, method) if method else owner
    return self.invoke(function, args, kwargs, convert=to_numpy)


def do_compiled(self: Session, target: wire.Handle, args: list[Any], kwargs: dict[str, Any]) -> wire.Reply:
    """Call an object under the backend's just-in-time compiler."""
    owner = self.objects[target.number]
    backend = keras.backend.backend()

    def function(*args: Any, **kwargs: Any) -> Any:
        if backend == "tensorflow":
            import tensorflow

            # AutoGraph is off, as Keras itself has it when it trains.
            call = tensorflow.function(lambda: owner(*args, **kwargs), jit_compile=True, autograph=False)
            return call()
        if backend == "jax":
            import jax

            trainable = [variable.value for variable in owner.trainable_variables]
            fixed = [variable.value for variable in owner.non_trainable_variables]
            call = jax.jit(lambda first, second: owner.stateless_call(first, second, *args, **kwargs))
            return call(trainable, fixed)[0]
        return owner(*args, **kwargs)

    return self.invoke(function, args, kwargs, convert=to_numpy)


def do_weights(self: Session, target: wire.Handle) -> wire.Reply:
    """List an object's weights: shape and whether trainable, in Keras's order."""
    owner = self.objects[target.number]
    trainable = {id(weight) for weight in owner.trainable_weights}
    return wire.Reply(
        value=[
            {"shape": list(weight.shape), "trainable": id(weight) in trainable, "path": weight.path}
            for weight in owner.weights
        ]
    )


def do_read(self: Session, target: wire.Handle, paths: list[str]) -> wire.Reply:
    """Read weights by attribute path, such as "query_dense.kernel".

    In the place of one that cannot be read stands "missing" (there is no such sublayer), "unbuilt" (it
    was never called, so that it has no weights), "weightless" (it is there, without this weight) or "short"
    (it would stand in a list that is shorter).
    """
    owner = self.objects[target.number]
    found: dict[str, Any] = {}
    for path in paths:
        try:
            found[path] = to_numpy(_variable(owner, path))
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            sublayer, _, _ = path.rpartition(".")
            try:
                built = bool(_attribute(owner, sublayer).built) if sublayer else True
            except (AttributeError, IndexError, TypeError, ValueError):
                built = not _waits(owner, sublayer)
            kind = "weightless" if _there(owner, sublayer) else "missing"
            if isinstance(error, IndexError):
                kind = "short"
            found[path] = wire.Opaque(kind if built else "unbuilt", str(error)[:200])
    return wire.Reply(value=found)


def do_write(self: Session, target: wire.Handle, values: dict[str, np.ndarray]) -> wire.Reply:
    """Assign weights by attribute path."""
    owner = self.objects[target.number]
    for path, value in values.items():
        _variable(owner, path).assign(value)
    return wire.Reply()


def do_fill(self: Session, target: wire.Handle, path: str, scale: float, seed: int) -> wire.Reply:
    """Give every weight below an attribute path random values (0 for a scale of 0); reply their number."""
    weights = _attribute(self.objects[target.number], path).weights
    rng = np.random.default_rng(seed)
    for weight in weights:
        weight.assign(scale * rng.normal(size=weight.shape).astype("float32"))
    return wire.Reply(value=len(weights))


def do_untouched(self: Session, target: wire.Handle, args: list[Any], kwargs: dict[str, Any]) -> wire.Reply:
    """List the trainable weights that no gradient of the first output reaches, or one of zeros only."""
    owner = self.objects[target.number]
    call = (self.receive(args), self.receive(kwargs))
    variables = list(owner.trainable_variables)

    def total() -> Any:
        output = next(_flat(owner(*call[0], **call[1])))
        directions = np.random.default_rng(0).normal(size=output.shape).astype("float32")
        return keras.ops.sum(output * keras.ops.convert_to_tensor(directions))

    found = _gradients(total, owner, variables)
    pairs = zip(variables, found, strict=True)
    return wire.Reply(value=[v.path for v, g in pairs if g is None or not np.any(to_numpy(g))])


def do_facts(self: Session, target: wire.Handle, paths: list[str]) -> wire.Reply:
    """Read plain attributes by path; the name of the class for objects."""
    owner = self.objects[target.number]

    def fact(path: str) -> Any:
        try:
            return to_numpy(_attribute(owner, path))
        except (AttributeError, IndexError, TypeError):
            return wire.Opaque("missing", path)

    return wire.Reply(value={path: fact(path) for path in paths})


class _Around(keras.Model):
    """A model that holds one layer, as a learner's own model would."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Call the layer with a list of positional arguments and their keywords."""
        args, kwargs = inputs
        return self.inner(*args, **kwargs)


class _Alone(keras.Model):
    """A model that is nothing but one layer."""

    def __init__(self, inner: Any) -> None:
        super().__init__(name="alone")
        self.inner = inner

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Call the layer."""
        return self.inner(inputs)


def do_reloaded(self: Session, target: wire.Handle, args: list[Any], kwargs: dict[str, Any]) -> wire.Reply:
    """Save the weights of a model around an object, load them into one around a rebuilt object."""
    owner = self.objects[target.number]
    call = (self.receive(args), self.receive(kwargs))
    path = os.path.abspath("saved.weights.h5")
    model = _Around(owner)
    model(call)
    model.save_weights(path)
    fresh = type(owner).from_config(owner.get_config())
    fresh(*call[0], **call[1])  # built here and not within the model, where Keras would trace it twice
    model = _Around(fresh)
    model(call)
    model.load_weights(path)
    os.remove(path)
    return wire.Reply(value=self.keep(fresh))


def do_rebuilt(self: Session, target: wire.Handle) -> wire.Reply:
    """Make an object anew from its own configuration."""
    owner = self.objects[target.number]
    return wire.Reply(value=self.keep(type(owner).from_config(owner.get_config())))


class _Listener(keras.layers.Layer):
    """Notes whether its input carries a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True
        self.heard = False
        self.heard_mask: Any = None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Keras passes the input's mask, if there is one."""
        self.heard = mask is not None
        self.heard_mask = mask
        return inputs


def do_masked_outputs(self: Session, target: wire.Handle, args: list[Any]) -> wire.Reply:
    """Call an object with a first argument that carries a mask; tell for each output whether it does."""
    first, *others = self.receive(args)
    outputs = self.objects[target.number](keras.layers.Masking()(first), *others)
    heard = []
    for output in _flat(outputs):
        listener = _Listener()
        listener(output)
        heard.append(listener.heard)
    return wire.Reply(value=heard)


def do_heard_mask(self: Session, target: wire.Handle, args: list[Any], functional: bool) -> wire.Reply:
    """Call an object and a layer after it, in a functional model if asked; reply with the mask it hears."""
    owner, inputs, listener = self.objects[target.number], self.receive(args), _Listener()
    if functional:
        symbols = [keras.Input(item.shape[1:], dtype=item.dtype.name) for item in inputs]
        keras.Model(symbols, listener(owner(*symbols)))(inputs)
    else:
        listener(owner(*inputs))
    return wire.Reply(value=to_numpy(listener.heard_mask))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    elif value is not None:
        yield value


def _gradients(total: Callable[[], Any], owner: Any, variables: list[Any]) -> list[Any]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            value = total()
        found = tape.gradient(value, [variable.value for variable in variables])
        return [None if item is None else tensorflow.convert_to_tensor(item) for item in found]
    if backend == "jax":
        import jax

        def scalar(values: list[Any]) -> Any:
            pairs = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=pairs):
                return total()

        return list(jax.grad(scalar)([variable.value for variable in variables]))
    for variable in variables:
        variable.value.grad = None
    total().backward()
    return [variable.value.grad for variable in variables]


def do_gradients(
    self: Session,
    target: wire.Handle,
    args: list[Any],
    kwargs: dict[str, Any],
    cotangents: list[Any],
    paths: list[str],
) -> wire.Reply:
    """Gradients of sum(output * cotangent), summed over all outputs, for weights by path."""
    owner = self.objects[target.number]
    call = (self.receive(args), self.receive(kwargs))
    variables = [_variable(owner, path) for path in paths]

    def total() -> Any:
        outputs = list(_flat(owner(*call[0], **call[1])))
        terms = [
            keras.ops.sum(output * keras.ops.convert_to_tensor(cotangent))
            for output, cotangent in zip(outputs, cotangents, strict=False)
            if cotangent is not None
        ]
        return sum(terms[1:], terms[0])

    found = _gradients(total, owner, variables)
    return wire.Reply(value={path: to_numpy(item) for path, item in zip(paths, found, strict=True)})


def do_fit(
    self: Session, target: wire.Handle, inputs: list[Any], y: np.ndarray, options: dict[str, Any]
) -> wire.Reply:
    """Train a functional model around an object for one batch; return its mean squared error.

    Of several outputs the first counts, in a dict the one whose name comes first.

    Not compiled: `do_compiled` shows that an object compiles, in a quarter of the time.
    """
    owner = self.objects[target.number]
    inputs = self.receive(inputs)
    arrays = [keras.Input(item.shape[1:], dtype=item.dtype.name) for item in inputs]
    outputs = owner(*arrays, **options)
    if isinstance(outputs, list | tuple):
        outputs = outputs[0]
    elif isinstance(outputs, dict):
        outputs = outputs[min(outputs)]
    model = keras.Model(arrays, outputs)
    eager = keras.backend.backend() == "tensorflow"
    optimizer = keras.optimizers.SGD(0.01)
    model.compile(optimizer=optimizer, loss="mse", run_eagerly=eager, jit_compile=False)
    # What `fit` does with each batch, without its input pipeline, which takes as long again.
    told = model.train_on_batch(inputs, y, return_dict=True)
    return wire.Reply(value=float(told["loss"]))


def do_seed(self: Session, seed: int) -> wire.Reply:
    """Make initial weights and the order of training data a function of the seed."""
    keras.utils.set_random_seed(seed)
    return wire.Reply()


def do_train(
    self: Session,
    target: wire.Handle,
    inputs: Any,
    labels: np.ndarray,
    learning_rate: float,
    batch_size: int,
) -> wire.Reply:
    """Train a model for one pass over the data, compiled as `fit` does it.

    No just-in-time compilation: compiling would take longer than these short trainings.
    """
    owner = self.objects[target.number]
    model = owner if isinstance(owner, keras.Model) else _Alone(owner)
    optimizer = keras.optimizers.Adam(learning_rate)
    # Variables that are made within the traced step have TensorFlow trace it twice.
    optimizer.build(owner.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        jit_compile=keras.backend.backend() == "jax",
    )
    inputs = self.receive(inputs)
    inputs = tuple(inputs) if isinstance(inputs, list) else inputs
    model.fit(inputs, labels, batch_size=batch_size, epochs=1, verbose=0)
    return wire.Reply()
