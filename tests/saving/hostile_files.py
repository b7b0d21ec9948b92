"""Files that an enemy, an accident or a mistake could make of a good one."""

import hashlib
import io
import json
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np

DATA = Path(__file__).parents[1] / "data"


def members_of(name):
    with zipfile.ZipFile(DATA / f"{name}-1.skhp") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def packed(members, compression=zipfile.ZIP_STORED):
    """An archive of members, which may have names twice or a ZipInfo as their name."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0), allow_pickle=True)
    return buffer.getvalue()


def header(text, data=b""):
    """A `.npy` file with a header of our own."""
    text = text.encode("latin1") + b" " * (53 - len(text) % 64 + 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


class Changed:
    """A good file with some of its parts changed, and its checksums put right again."""

    def __init__(self, name="mlp"):
        self.members = members_of(name)
        self.document = json.loads(self.members["estimator.json"])

    @property
    def estimator(self):
        return self.document["estimators"][0]

    @property
    def learnt(self):
        return self.estimator["learnt"]

    @property
    def network(self):
        return self.learnt["trained"]["network"]

    def bytes(self, text=None, checksums=True):
        arrays = [name for name in self.members if name.startswith("arrays/")]
        if checksums:
            self.document["arrays"] = [
                hashlib.sha256(self.members[name]).hexdigest() for name in arrays
            ]
        self.members["estimator.json"] = (text or json.dumps(self.document)).encode()
        return packed(self.members)


def changed(change, name="mlp", **options):
    def make():
        file = Changed(name)
        text = change(file)
        return file.bytes(text if isinstance(text, str) else None, **options)

    return make


def with_array(content, number=0, name="mlp"):
    def change(file):
        file.members[f"arrays/{number}.npy"] = content

    return changed(change, name)


def at(path, value, name="mlp"):
    """A file with another value at a path of the document, such as "learnt attributes n_iter_"."""

    def change(file):
        *above, last = path.split()
        place = file.estimator
        for key in above:
            place = place[int(key) if isinstance(place, list) else key]
        place[int(last) if isinstance(place, list) else last] = value

    return changed(change, name)


def weights_number(file):
    return file.learnt["trained"]["member"]["weights"]


def cut(share):
    def make():
        content = (DATA / "mlp-1.skhp").read_bytes()
        return content[: int(len(content) * share)]

    return make


def flipped(place):
    def make():
        content = bytearray((DATA / "mlp-1.skhp").read_bytes())
        content[int(len(content) * place)] ^= 0x10
        return bytes(content)

    return make


class Bomb:
    def __reduce__(self):
        return (open, ("/tmp/hostile-was-here", "w"))


def joblib_bytes():
    buffer = io.BytesIO()
    joblib.dump(Bomb(), buffer)
    return buffer.getvalue()


def named(name, content=b"x"):
    def make():
        return packed([*members_of("mlp").items(), (name, content)])

    return make


def attributes_of(mode, name="arrays/7.npy", content=b"/etc/passwd"):
    information = zipfile.ZipInfo(name)
    information.external_attr = mode << 16
    return named(information, content)


def encrypted():
    content = bytearray(packed(members_of("mlp")))
    # Bit 0 of the flags, in the list of members and in front of the first one.
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    return bytes(content)


def longer_than_the_file():
    content = bytearray(packed(members_of("mlp")))
    place = content.index(b"PK\x01\x02")
    content[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
    return bytes(content)


def overlapping():
    content = bytearray(packed(members_of("mlp")))
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    return bytes(content)


def many_members_announced():
    content = bytearray(packed(members_of("mlp")))
    content[-14:-10] = struct.pack("<HH", 65000, 65000)
    return bytes(content)


def deep(levels):
    return lambda file: (
        json.dumps(file.document)[:-1] + ', "x": ' + "[" * levels + "]" * levels + "}"
    )


def text_with(old, new):
    def change(file):
        text = json.dumps(file.document)
        assert old in text
        return text.replace(old, new, 1)

    return change


def layer(**settings):
    return at("learnt trained network layers 0", settings)


def keras_layer(path, value):
    return at(f"learnt model structure config layers {path}", value, "keras")


def huge_keras_layer(**settings):
    def change(file):
        for model in (file.learnt["model"], file.estimator["parameters"]["model"]):
            model["structure"]["config"]["layers"][1]["config"].update(settings)

    return changed(change, "keras")


def steps(change):
    """The pipeline with a changed schema of skops."""

    def make():
        file = Changed("pipeline")
        with zipfile.ZipFile(io.BytesIO(file.members["steps.skops"])) as archive:
            inner = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(inner["schema.json"])
        found = change(schema, inner)
        inner["schema.json"] = json.dumps(schema if found is None else found).encode()
        file.members["steps.skops"] = packed(inner)
        return file.bytes()

    return make


def foreign(schema, inner):
    return {
        **schema,
        "__class__": "system",
        "__module__": "os",
        "__loader__": "FunctionNode",
    }


def hostile_method(schema, inner):
    return {
        **schema,
        "__class__": "Popen",
        "__module__": "subprocess",
        "__loader__": "ObjectNode",
        "content": None,
    }


def old_protocol(schema, inner):
    schema["protocol"] = 0


def huge_skops_array(schema, inner):
    name = next(name for name in inner if name.endswith(".npy"))
    inner[name] = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")


def read_again_and_again(schema, inner):
    name = next(name for name in inner if name.endswith(".npy"))
    node = {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": name,
    }
    schema["content"]["more"] = [node] * 5000
    inner[name] += b"\0" * 100_000


def cached(schema, inner):
    schema["content"]["content"]["memory"] = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": '"/tmp/evil"',
        "is_json": True,
    }


def void_array(schema, inner):
    def walk(item):
        if isinstance(item, dict):
            if item.get("__loader__") == "NdArrayNode":
                item["__class__"] = "void"
            for value in item.values():
                walk(value)
        elif isinstance(item, list):
            for value in item:
                walk(value)

    walk(schema)


F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': "

HOSTILE = {
    # Other formats.
    "empty": lambda: b"",
    "a text": lambda: b"network",
    "a pickle": lambda: pickle.dumps(Bomb()),
    "a pickle of protocol 0": lambda: pickle.dumps(Bomb(), protocol=0),
    "a joblib file": joblib_bytes,
    "an array of NumPy": lambda: npy(np.ones(3)),
    "an archive of nothing": lambda: packed({}),
    "another archive": lambda: packed({"a.txt": b"x"}),
    "a pickle in an archive": lambda: packed({"estimator.json": pickle.dumps(Bomb())}),
    "a .keras file": lambda: packed(
        {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b""}
    ),
    # The archive.
    "cut in half": cut(0.5),
    "cut near its end": cut(0.98),
    "cut after a tenth": cut(0.1),
    "a bit changed in the document": flipped(0.05),
    "a bit changed in an array": flipped(0.75),
    "bytes before it": lambda: b"#!/bin/sh\n" + packed(members_of("mlp")),
    "bytes after it": lambda: packed(members_of("mlp")) + b"more",
    "path traversal": named("../../evil.py"),
    "path traversal among the arrays": named("arrays/../../evil.npy"),
    "an absolute name": named("/tmp/evil.py"),
    "a name of Windows": named("C:\\evil.py"),
    "a name with a zero byte": named("arrays/7.npy\0.py"),
    "a folder": named("arrays/"),
    "a name of a blank": named(" "),
    "a name in other letters": named("ESTIMATOR.JSON"),
    "a symbolic link": attributes_of(0o120777),
    "a device": attributes_of(0o020666),
    "a name twice": named("estimator.json", b"{}"),
    "an array twice": named("arrays/0.npy", npy(np.ones(3))),
    "a zip bomb": lambda: packed({"estimator.json": b" " * 50_000_000}, zipfile.ZIP_DEFLATED),
    "compressed by bzip2": lambda: packed(members_of("mlp"), zipfile.ZIP_BZIP2),
    "a member longer than the file": longer_than_the_file,
    "members that overlap": overlapping,
    "many members announced": many_members_announced,
    "encrypted": encrypted,
    "an array missing": changed(lambda file: file.members.pop("arrays/0.npy") and None),
    "an array too many": changed(
        lambda file: file.members.update({f"arrays/{len(file.members) - 1}.npy": npy([1.0])})
    ),
    "steps that nobody announced": named("steps.skops", packed({"schema.json": b"{}"})),
    # The document.
    "no JSON": changed(lambda file: "{'format': 'skhp estimator'}"),
    "a list": changed(lambda file: "[]"),
    "no checksums": changed(lambda file: file.document.pop("arrays") and None, checksums=False),
    "wrong checksums": changed(lambda file: file.document["arrays"].reverse(), checksums=False),
    "another format": changed(lambda file: file.document.update(format="skops")),
    "a later version": changed(lambda file: file.document.update(version=2)),
    "version 0": changed(lambda file: file.document.update(version=0)),
    "a version in text": changed(lambda file: file.document.update(version="1")),
    "a version that is true": changed(lambda file: file.document.update(version=True)),
    "a field too many": changed(lambda file: file.document.update(run="os.system('true')")),
    "NaN": changed(text_with('"learning_rate": 0.001', '"learning_rate": NaN')),
    "infinity by many digits": changed(
        text_with('"learning_rate": 0.001', '"learning_rate": 1e999')
    ),
    "a huge whole number": changed(text_with('"epochs": 2', '"epochs": ' + "9" * 5000)),
    "a name twice in JSON": changed(text_with('{"format"', '{"version": 1, "format"')),
    "nested deeply": changed(deep(5_000)),
    "nested very deeply": changed(deep(500_000)),
    "a value nested deeply": at("parameters neurons", json.loads("[" * 60 + "]" * 60)),
    "not UTF-8": lambda: packed({**members_of("mlp"), "estimator.json": b'{"a": "\xff\xfe"}'}),
    # Arrays.
    "a huge shape": with_array(header(F4 + "(1000000000000, 1000000), }")),
    "a shape that overflows": with_array(header(F4 + f"({2**62}, 4), }}", b"\0" * 16)),
    "a negative shape": with_array(header(F4 + "(-1, 4), }", b"\0" * 16)),
    "a shape of text": with_array(header(F4 + "('a',), }")),
    "objects": with_array(npy(np.array([Bomb()], dtype=object))),
    "a record": with_array(npy(np.zeros(2, [("a", "f4")]))),
    "a dtype of no bytes": with_array(
        header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }")
    ),
    "a header of code": with_array(header("__import__('os').system('true') or {}")),
    "a header of deep brackets": with_array(header("(" * 5000 + ")" * 5000)),
    "another version of the header": with_array(
        header(F4 + "(1,), }", b"\0" * 4).replace(b"\x01\x00", b"\x03\x00", 1)
    ),
    "too few bytes": with_array(header(F4 + "(4,), }", b"\0" * 15)),
    "too many bytes": with_array(header(F4 + "(4,), }", b"\0" * 17)),
    "text beyond Unicode": with_array(
        header("{'descr': '<U1', 'fortran_order': False, 'shape': (2,), }", b"\xff" * 8)
    ),
    "times as classes": with_array(npy(np.array(["2020", "2021"], "M8[D]"))),
    "classes in disorder": with_array(npy(np.array(["yes", "no"]))),
    "one class": with_array(npy(np.array(["yes"]))),
    "three classes": with_array(npy(np.array(["a", "b", "c"]))),
    "weights of another size": changed(
        lambda file: file.members.update(
            {f"arrays/{weights_number(file)}.npy": npy(np.ones(400, np.float32))}
        )
    ),
    "weights in double precision": changed(
        lambda file: file.members.update(
            {f"arrays/{weights_number(file)}.npy": npy(np.ones(11, np.float64))}
        )
    ),
    "an array used twice": changed(
        lambda file: file.learnt["trained"]["member"].update(state=weights_number(file))
    ),
    "an array that is not there": at("learnt trained member weights", 99),
    "a negative number of an array": at("learnt trained member weights", -1),
    # The estimator.
    "another class": at("class", "KerasMLPRegressor"),
    "an unknown class": at("class", "os.system"),
    "a class that is a number": at("class", 3),
    "an unknown parameter": at("parameters command", "true"),
    "callbacks": at("parameters callbacks", ["keras.callbacks.LambdaCallback"]),
    "a text where a number belongs": at("parameters learning_rate", "fast"),
    "an unknown kind of value": at("parameters loss", {"kind": "function", "name": "os.system"}),
    "a loss of another library": at(
        "parameters loss", {"kind": "loss", "name": "os.system", "parameters": {}}
    ),
    "a loss with parameters of another type": at(
        "parameters loss", {"kind": "loss", "name": "focal", "parameters": {"gamma": "2"}}
    ),
    "a class of Keras that reads files": at(
        "parameters loss", {"kind": "keras_class", "name": "layers/TFSMLayer"}
    ),
    "an optimizer with settings that Keras does not have": at(
        "parameters loss",
        {"kind": "keras_object", "object": {"object": "losses/Huber", "config": {"evil": 1}}},
    ),
    "a text as history": at("learnt attributes history_", "good"),
    "a text as a count": at("learnt attributes n_iter_", "two"),
    "a negative count": at("learnt attributes n_iter_", -1),
    "an attribute that is a method": at("learnt attributes predict", "x"),
    "an attribute of Python": at("learnt attributes __class__", "x"),
    "the rarest class is another": at("learnt attributes _rarest", 5),
    "a threshold beyond 1": at(
        "learnt attributes _threshold", {"kind": "dict", "items": [["value", 2.0], ["rare", 1]]}
    ),
    "other numbers of columns": at("learnt attributes n_features_in_", 300),
    "no classes": changed(lambda file: file.learnt["attributes"].pop("classes_") and None),
    # The network.
    "an unknown layer": layer(layer="lambda", function="__import__('os')"),
    "a layer with a setting too many": layer(
        layer="dense", units=2, use_bias=True, l1=0, l2=0, x=1
    ),
    "a huge layer": layer(layer="dense", units=10**12, use_bias=True, l1=0.0, l2=0.0),
    "a layer beyond all bounds": layer(layer="dense", units=10**19, use_bias=True, l1=0.0, l2=0.0),
    "a negative layer": layer(layer="dense", units=-2, use_bias=True, l1=0.0, l2=0.0),
    "a layer of true units": layer(layer="dense", units=True, use_bias=True, l1=0.0, l2=0.0),
    "an activation of code": at(
        "learnt trained network layers 1", {"layer": "activation", "function": "os.system"}
    ),
    "no layers": at("learnt trained network layers", []),
    "a million layers": at(
        "learnt trained network layers", [{"layer": "activation", "function": "relu"}] * 10**5
    ),
    "an input without end": at("learnt trained network input_shape", [10**18]),
    "an unknown optimizer": at("learnt trained objective optimizer", "os.system"),
    "a schedule of text": at(
        "learnt trained objective schedule", {"kind": "step", "every": "x", "factor": 0.5}
    ),
    # Keras models.
    "a Lambda layer": keras_layer(
        "1", {"object": "layers/Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
    ),
    "a layer of a foreign module": keras_layer("1", {"object": "os/system", "config": {}}),
    "a layer in the form of Keras": keras_layer(
        "1", {"module": "os", "class_name": "system", "config": {}, "registered_name": "x"}
    ),
    "a layer that reads a model": keras_layer(
        "1", {"object": "layers/TFSMLayer", "config": {"filepath": "/tmp/evil"}}
    ),
    "a layer that reads a vocabulary": keras_layer(
        "1", {"object": "layers/StringLookup", "config": {"vocabulary": "/etc/passwd"}}
    ),
    "a registered activation": keras_layer("1 config activation", "hostile>activation"),
    "a registered initializer": keras_layer("1 config kernel_initializer", "hostile>initializer"),
    "a function of Keras' own form": keras_layer(
        "1 config activation",
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
    ),
    "huge units": huge_keras_layer(units=10**9),
    "units beyond all bounds": huge_keras_layer(units=10**15),
    "units of text": huge_keras_layer(units="many"),
    "an unknown setting": huge_keras_layer(evil=True),
    "an initializer that computes at once": keras_layer(
        "1 config kernel_initializer", {"object": "initializers/STFTInitializer", "config": {}}
    ),
    "a network as a learning rate": at(
        "learnt model compiled optimizer object config learning_rate",
        {"object": "models/Sequential", "config": {"layers": []}},
        "keras",
    ),
    "a metric of many thresholds": at(
        "learnt model compiled metrics",
        [
            {
                "kind": "keras_object",
                "object": {"object": "metrics/AUC", "config": {"num_thresholds": 10**9}},
            }
        ],
        "keras",
    ),
    "a thousand layers in a row": at(
        "learnt model structure config layers",
        [{"object": "layers/Dropout", "config": {"rate": 0.1}}] * 1000,
        "keras",
    ),
    "many layers in many models": at(
        "learnt model structure config layers",
        [
            {
                "object": "models/Sequential",
                "config": {"layers": [{"object": "layers/Dropout", "config": {"rate": 0.1}}] * 150},
            }
        ]
        * 150,
        "keras",
    ),
    "a frozen part that is not there": at("learnt attributes _frozen_part", "evil", "keras"),
    "a model that is a subclass": at("learnt model structure object", "models/Evil", "keras"),
    "a model that is a layer": at(
        "learnt model structure", {"object": "layers/Dense", "config": {"units": 3}}, "keras"
    ),
    "an unknown loss": at("learnt model compiled loss", "hostile>loss", "keras"),
    "a loss of a foreign class": at(
        "learnt model compiled loss", {"kind": "keras_class", "name": "os/system"}, "keras"
    ),
    "an optimizer without its state": at("learnt model compiled state", [], "keras"),
    "weights of a model in disorder": changed(
        lambda file: file.learnt["model"]["variables"].reverse(), "keras"
    ),
    "a path as the base": at("parameters base_model", "/etc/passwd", "keras"),
    "a text as the model": at("parameters model", "os.system", "keras"),
    "a huge target": at("learnt target row_shape", [10**12], "keras"),
    "seeds of text": at("learnt seeds", ["a", "b", "c"], "keras"),
    # Steps of scikit-learn.
    "a function of os": steps(foreign),
    "a process": steps(hostile_method),
    "an old protocol of skops": steps(old_protocol),
    "a huge array of skops": steps(huge_skops_array),
    "an array of skops read again and again": steps(read_again_and_again),
    "an array of skops that is made by a number": steps(void_array),
    "steps that hold a list": steps(
        lambda schema, inner: (
            schema["content"]["content"]["steps"]
            | {"protocol": schema["protocol"], "_skops_version": "0"}
        )
    ),
    "a folder of pickles": steps(cached),
    "steps without their schema": changed(
        lambda file: file.members.update({"steps.skops": packed({"a": b""})}), "pipeline"
    ),
    "steps with path traversal": changed(
        lambda file: file.members.update(
            {"steps.skops": packed({"schema.json": b"{}", "../../evil.npy": b""})}
        ),
        "pipeline",
    ),
    "steps that are a bomb": changed(
        lambda file: file.members.update(
            {"steps.skops": packed({"schema.json": b" " * 10**7}, zipfile.ZIP_DEFLATED)}
        ),
        "pipeline",
    ),
    "steps and no networks": changed(lambda file: file.document.update(estimators=[]), "pipeline"),
}
