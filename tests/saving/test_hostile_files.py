"""Whatever is wrong with a file, loading it is an error that names file and reason, and no more."""

import contextlib
import json
import os
import resource
import sys

import keras
import numpy as np
import pytest

import skhp
from skhp import FileRefusedError
from tests.saving.hostile_files import DATA, HOSTILE, Changed, npy, weights_number

pytestmark = pytest.mark.slow

_seen: list[str] = []
_watching = False
_FORBIDDEN = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "pickle.find_class",
    "shutil.",
    "socket.",
    "subprocess.Popen",
    "tempfile.",
    "urllib.Request",
    "webbrowser.open",
    "ctypes.dlopen",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def _hook(event, arguments):
    if not _watching:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        _seen.append(f"open {arguments[0]!r} to write")
    elif event.startswith(_FORBIDDEN):
        _seen.append(f"{event} {arguments!r}"[:200])


# Hooks cannot be removed, so there is one, which looks only where a test says so.
sys.addaudithook(_hook)


@contextlib.contextmanager
def watched():
    global _watching
    _seen.clear()
    _watching = True
    try:
        yield _seen
    finally:
        _watching = False


def peak():
    """The most memory that the process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture(scope="module", autouse=True)
def good_files():
    """Loads the good files first, so that all imports are done."""
    pytest.importorskip("skops")
    for path in DATA.glob("*.skhp"):
        skhp.load(path)


def test_the_watch_sees_what_it_is_for(tmp_path):
    with watched() as seen:
        (tmp_path / "a").write_text("x")
        import socket

        socket.socket().close()
    assert len(seen) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_else_happens(name, tmp_path):
    path = tmp_path / "hostile.skhp"
    path.write_bytes(HOSTILE[name]())
    before = peak()
    with watched() as seen, pytest.raises(FileRefusedError, match=r"hostile\.skhp") as error:
        skhp.load(path)
    assert seen == []
    assert len(str(error.value)) < 2000
    assert peak() - before < 150
    assert [found.name for found in tmp_path.iterdir()] == ["hostile.skhp"]
    assert not os.path.exists("/tmp/hostile-was-here")


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path):
    path, content = tmp_path / "cut.skhp", (DATA / "mlp-1.skhp").read_bytes()
    for end in range(0, len(content), 37):
        path.write_bytes(content[:end])
        with pytest.raises(FileRefusedError, match=r"cut\.skhp"):
            skhp.load(path)


@pytest.mark.parametrize("name", ["mlp", "pipeline"])
def test_a_changed_byte_anywhere_is_refused_or_changes_nothing(name, tmp_path):
    path, content = tmp_path / "changed.skhp", (DATA / f"{name}-1.skhp").read_bytes()
    rows = np.array(json.loads((DATA / "expected-1.json").read_text())["rows"], np.float32)
    expected = skhp.load(DATA / f"{name}-1.skhp").predict(rows)
    generator = np.random.default_rng(0)
    for place in generator.integers(len(content), size=300):
        broken = bytearray(content)
        broken[place] ^= 1 << generator.integers(8)
        path.write_bytes(broken)
        with watched() as seen, contextlib.suppress(FileRefusedError):
            assert np.array_equal(skhp.load(path).predict(rows), expected)
        assert seen == []


def test_a_nan_among_the_weights_is_no_mistake(tmp_path):
    file = Changed()
    place = f"arrays/{weights_number(file)}.npy"
    file.members[place] = npy(np.full(11, np.nan, np.float32))
    path = tmp_path / "nan.skhp"
    path.write_bytes(file.bytes())
    with pytest.raises(ValueError, match="NaN or infinite for 2 of 2 rows"):
        skhp.load(path).predict_proba(np.ones((2, 3)))


def test_objects_registered_with_keras_are_out_of_reach(tmp_path):
    called = []

    @keras.saving.register_keras_serializable("hostile", "Dense")
    class Registered(keras.layers.Dense):
        def __init__(self, *arguments, **keywords):
            called.append(arguments)
            super().__init__(*arguments, **keywords)

    file = Changed("keras")
    layers = file.learnt["model"]["structure"]["config"]["layers"]
    for hostile in (
        {**layers[1], "object": "hostile>Dense"},
        {**layers[1], "object": "layers/hostile>Dense"},
        {**layers[1], "registered_name": "hostile>Dense"},
    ):
        layers[1] = hostile
        path = tmp_path / "registered.skhp"
        path.write_bytes(file.bytes())
        with pytest.raises(FileRefusedError, match="class"):
            skhp.load(path)
    with keras.saving.custom_object_scope({"Dense": Registered, "relu": Registered}):
        skhp.load(DATA / "keras-1.skhp")
    assert called == []


@pytest.mark.parametrize("path", sorted(DATA.glob("*.skhp")), ids=lambda path: path.stem)
def test_files_of_each_version_are_loaded_ever_after(path):
    version = path.stem.rpartition("-")[2]
    expected = json.loads((DATA / f"expected-{version}.json").read_text())
    loaded = skhp.load(path)
    rows = np.array(expected["rows"], np.float32)
    predicted = getattr(loaded, "predict_proba", loaded.predict)(rows)
    np.testing.assert_allclose(predicted, expected["predictions"][path.stem], rtol=1e-5, atol=1e-6)


def test_a_file_that_is_not_a_file_is_refused_at_once():
    with pytest.raises(FileRefusedError, match="regular"):
        skhp.load("/dev/zero")
