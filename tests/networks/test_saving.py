import dataclasses
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest

from skhp.networks.build import build_network, compile_network, restore_network, save_network
from skhp.networks.description import NetworkDescription, multilayer_perceptron
from skhp.training.rate_schedules import OPTIMIZERS, schedule_from

pytestmark = pytest.mark.slow

STEPS_PER_EPOCH = 3


def description(**changes):
    parameters = {
        "n_inputs": 4,
        "n_outputs": 1,
        "output": "binary",
        "hidden_layers": 2,
        "neurons": (6, 5),
        "activation": "tanh",
        "batch_norm": True,
        "dropout": 0.4,
        "l2": 0.01,
    }
    return multilayer_perceptron(**parameters | changes)


def compiled_network(described, optimizer, schedule=None):
    model = build_network(described, 3)
    rate = 0.05
    if schedule is not None:
        rate = schedule_from(schedule).for_keras(rate, STEPS_PER_EPOCH, epochs=10)
    compile_network(model, described, "auto", OPTIMIZERS[optimizer](rate), STEPS_PER_EPOCH)
    return model


def train(model, n_batches, seed=0):
    """Train on batches that are the same for every call with the same seed; give the losses."""
    generator = np.random.default_rng(seed)
    losses = []
    for _ in range(n_batches):
        X = generator.normal(size=(8, 4)).astype(np.float32)
        y = (X[:, :1] > 0).astype(np.float32)
        weight = generator.uniform(0.5, 2, size=8).astype(np.float32)
        losses.append(float(model.train_on_batch(X, y, sample_weight=weight)))
    return losses


def same_arrays(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


def variables(model):
    return [np.array(variable) for variable in (*model.variables, *model.optimizer.variables)]


# The last two have a rate that moves: with the optimizer's steps, and by assignment.
CASES = {
    "adam": ("adam", {}, None, None),
    "nesterov with a schedule": ("nesterov", {"batch_norm": False}, "exponential", None),
    "rmsprop after a plateau": ("rmsprop", {"dropout": 0.0}, "plateau", 0.0125),
}


@pytest.mark.parametrize("case", CASES)
def test_a_restored_network_predicts_and_trains_on_as_the_one_saved(case):
    optimizer, changes, schedule, new_rate = CASES[case]
    described = description(**changes)
    model = compiled_network(described, optimizer, schedule)
    train(model, 5)
    if new_rate is not None:
        model.optimizer.learning_rate = new_rate
    rate = float(model.optimizer.learning_rate)
    # Another number than at the start, or the position in the schedule would not be tested.
    assert (rate == pytest.approx(0.05)) == (schedule is None)

    pickled = pickle.dumps(save_network(model, described, "auto"))
    restored = restore_network(pickle.loads(pickled))
    X = np.random.default_rng(9).normal(size=(20, 4)).astype(np.float32)
    assert np.array_equal(restored(X), model(X))
    assert same_arrays(variables(restored), variables(model))
    assert float(restored.optimizer.learning_rate) == rate
    assert restored.steps_per_execution == STEPS_PER_EPOCH

    assert train(restored, 4, seed=1) == train(model, 4, seed=1)
    assert same_arrays(variables(restored), variables(model))
    assert float(restored.optimizer.learning_rate) == float(model.optimizer.learning_rate)


def test_the_noise_of_dropout_continues_where_it_stood():
    described = description(batch_norm=False)
    model = compiled_network(described, "sgd")
    model.optimizer.build(model.trainable_variables)
    X = np.ones((30, 4), dtype=np.float32)
    first = np.array(model(X, training=True))
    restored = restore_network(save_network(model, described, "auto"))
    second = np.array(model(X, training=True))
    assert not np.array_equal(first, second)
    assert np.array_equal(restored(X, training=True), second)


def test_a_record_of_an_earlier_moment_is_not_touched_by_later_training():
    described = description()
    model = compiled_network(described, "adam")
    train(model, 1)
    saved = save_network(model, described, "auto")
    before = pickle.dumps(saved)
    outputs = np.array(model(np.ones((3, 4), dtype=np.float32)))
    train(model, 3)
    assert pickle.dumps(saved) == before
    assert np.array_equal(restore_network(saved)(np.ones((3, 4), dtype=np.float32)), outputs)


def plain(value):
    if value is None or type(value) in (bool, int, float, str):
        return True
    if type(value) is np.ndarray:
        return value.dtype.kind in "fiu"
    if type(value) is dict:
        return all(type(key) is str and plain(item) for key, item in value.items())
    if type(value) in (list, tuple):
        return all(plain(item) for item in value)
    return False


@pytest.mark.parametrize("schedule", [None, "cosine"])
@pytest.mark.parametrize("optimizer", ["adam", "nesterov"])
def test_a_record_holds_plain_data_only(optimizer, schedule):
    described = description()
    model = compiled_network(described, optimizer, schedule)
    model.optimizer.build(model.trainable_variables)
    saved = save_network(model, described, "auto")
    for field in dataclasses.fields(saved):
        value = getattr(saved, field.name)
        if isinstance(value, NetworkDescription):
            value = dataclasses.asdict(value)
        assert plain(value), field.name
    assert saved.variables
    assert saved.optimizer_variables


def test_unpickling_a_record_runs_nothing_but_numpy_and_skhp():
    described = description()
    model = compiled_network(described, "adam", "step")
    model.optimizer.build(model.trainable_variables)
    pickled = pickle.dumps(save_network(model, described, "auto"))
    found = []

    class Noting(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(module.split(".")[0])
            return super().find_class(module, name)

    import io

    Noting(io.BytesIO(pickled)).load()
    assert set(found) == {"numpy", "skhp"}


def test_a_record_is_read_in_another_process():
    described = description(dropout=0.0)
    model = compiled_network(described, "adam")
    train(model, 2)
    X = np.random.default_rng(9).normal(size=(20, 4)).astype(np.float32)
    code = (
        "import pickle, sys\n"
        "saved, X = pickle.load(sys.stdin.buffer)\n"
        "from skhp.networks.build import restore_network\n"
        "import numpy as np\n"
        "sys.stdout.buffer.write(np.array(restore_network(saved)(X)).tobytes())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((save_network(model, described, "auto"), X)),
        capture_output=True,
        check=True,
    )
    assert done.stdout == np.array(model(X)).tobytes()


def test_a_record_of_other_sizes_is_refused():
    described = description()
    model = compiled_network(described, "sgd")
    model.optimizer.build(model.trainable_variables)
    saved = save_network(model, described, "auto")
    with pytest.raises(ValueError, match="argument 2 is"):
        restore_network(dataclasses.replace(saved, variables=saved.variables[:-1]))
    with pytest.raises(ValueError, match="argument 2 is"):
        restore_network(
            dataclasses.replace(saved, optimizer_variables=saved.optimizer_variables[:-1])
        )


@pytest.mark.parametrize(
    ("output", "loss", "expected"),
    [
        ("binary", "auto", keras.losses.BinaryCrossentropy),
        ("multiclass", "crossentropy", keras.losses.SparseCategoricalCrossentropy),
        ("regression", "huber", keras.losses.Huber),
    ],
)
def test_a_network_is_compiled_with_its_loss_and_without_xla(output, loss, expected):
    described = description(output=output, n_outputs=2 if output != "binary" else 1)
    model = build_network(described, 0)
    compile_network(model, described, loss, OPTIMIZERS["sgd"](0.1), 7)
    assert type(model.loss) is expected
    assert model.steps_per_execution == 7
    assert model.jit_compile is False
