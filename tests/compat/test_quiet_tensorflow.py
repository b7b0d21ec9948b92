import os
import subprocess
import sys

import pytest

from skhp.compat import quiet_tensorflow
from skhp.compat.quiet_tensorflow import (
    LOG_LEVEL_VARIABLE,
    _without_log_lines,
    import_tensorflow_quietly,
)

pytestmark = pytest.mark.slow

USE = "from skhp import KerasMLPClassifier"

# One of those that TensorFlow 2.21 writes while it is loaded.
NOISY_LINE = (
    b"I0000 00:00:1795224844.664409   16488 port.cc:153] oneDNN custom operations are on.\n"
)


def without_log_level(environment):
    return {name: value for name, value in environment.items() if name != LOG_LEVEL_VARIABLE}


def run(code, environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )


def test_nothing_is_written_by_default():
    code = (
        f"{USE}\n"
        "import os\n"
        "classifier = KerasMLPClassifier(epochs=2, early_stopping=False)\n"
        "n_iter = classifier.fit([[0.0], [1.0]], [0, 1]).n_iter_\n"
        f"print(n_iter, os.environ[{LOG_LEVEL_VARIABLE!r}])\n"
    )
    # No log level is set.
    done = run(code, without_log_level(os.environ))
    assert done.stderr == ""
    assert done.stdout == "2 3\n"


def test_the_workaround_is_still_needed():
    # When this fails, TensorFlow has learnt to keep quiet at its own log level: delete
    # quiet_tensorflow.py but for the setting of the variable.
    done = run("import tensorflow", os.environ | {LOG_LEVEL_VARIABLE: "3"})
    # What it says is another text in each version; this line comes before all others.
    assert "absl::InitializeLog" in done.stderr


@pytest.fixture
def fake_keras(monkeypatch, tmp_path):
    """A way to say what the import of Keras does, as if nothing had been imported yet."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv(LOG_LEVEL_VARIABLE, raising=False)
    return (tmp_path / "keras.py").write_text


# A process that inherits the environment finds the level that was set for the first one.
@pytest.mark.parametrize("inherited", [False, True])
def test_the_import_sees_the_log_level_and_loses_log_lines_only(
    fake_keras, capfd, monkeypatch, inherited
):
    if inherited:
        monkeypatch.setenv(LOG_LEVEL_VARIABLE, "3")
    fake_keras(
        f"import os\nos.write(2, {NOISY_LINE!r} + os.environ[{LOG_LEVEL_VARIABLE!r}].encode())\n"
    )
    import_tensorflow_quietly()
    assert capfd.readouterr().err == "3"


@pytest.mark.parametrize("level", ["0", "1", "2"])
def test_a_log_level_of_the_user_is_left_and_nothing_is_held_back(
    fake_keras, capfd, monkeypatch, level
):
    monkeypatch.setenv(LOG_LEVEL_VARIABLE, level)
    fake_keras(f"import os\nos.write(2, {NOISY_LINE!r})\n")
    import_tensorflow_quietly()
    assert capfd.readouterr().err == NOISY_LINE.decode()
    assert os.environ[LOG_LEVEL_VARIABLE] == level


def test_nothing_is_set_where_tensorflow_was_imported_before(fake_keras, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", os)
    fake_keras(f"import os\nos.write(2, {NOISY_LINE!r})\n")
    import_tensorflow_quietly()
    assert LOG_LEVEL_VARIABLE not in os.environ
    assert capfd.readouterr().err == NOISY_LINE.decode()


def test_a_failing_import_passes_through_and_stderr_works_again(fake_keras, capfd):
    fake_keras("import os\nos.write(2, b'before\\n')\nraise ImportError('no keras here')\n")
    with pytest.raises(ImportError, match=r"^no keras here$"):
        import_tensorflow_quietly()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_other_text_is_passed_on_in_its_order_and_log_lines_are_not(capfd):
    log_lines = [
        NOISY_LINE.decode().strip(),
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "2025-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN",
        "2025-01-01 10:00:00.123456: E external/local_xla/cuda_dnn.cc:9261] Unable to register",
        "W0000 00:00:1795224844.664409   16488 port.cc:153] a warning",
        "To enable the following instructions: AVX2 FMA, in other operations, rebuild.",
    ]
    other_lines = [
        "WARNING: something else",
        "2025-01-01 was a Wednesday",
        "I0 is a name",
        "a line with I0000 00:00:1 within it",
        "",
        "E1000",
    ]
    with _without_log_lines():
        os.write(2, b"first\n")
        os.write(2, "\n".join([*log_lines, *other_lines, "no end of line"]).encode())
        assert capfd.readouterr().err == ""
    os.write(2, b", at last")
    expected = ["first", *other_lines, "no end of line, at last"]
    assert capfd.readouterr().err == "\n".join(expected)


def test_any_bytes_are_passed_on(capfdbinary):
    anything = bytes(range(256)) * 1000
    with _without_log_lines():
        os.write(2, anything)
    assert capfdbinary.readouterr().err == anything


def test_an_error_inside_passes_through_after_the_text_before_it(capfd):
    def fail():
        os.write(2, b"before\n")
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"), _without_log_lines():
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_a_closed_stderr_is_no_obstacle(monkeypatch):
    def closed(descriptor):
        assert descriptor == 2
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(quiet_tensorflow.os, "dup", closed)
    ran = []
    with _without_log_lines():
        ran.append(True)
    assert ran == [True]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux lists the open files there")
def test_no_file_stays_open():
    before = len(os.listdir("/proc/self/fd"))
    with _without_log_lines():
        os.write(2, NOISY_LINE)
    assert len(os.listdir("/proc/self/fd")) == before
