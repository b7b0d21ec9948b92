"""Rules of the source tree, each a function from the root folder to what breaks the rule."""

import ast
import configparser
import functools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

# The rooms of skhp from the ground up; what each may import of those below it. A new room is a new
# line. The part "skhp" is the public names, `from skhp import KerasMLPClassifier`.
GROUND = {"exceptions", "shared"}
MAY_IMPORT = {
    "exceptions": set(),
    "shared": {"exceptions"},
    "compat": GROUND,
    "objectives": GROUND | {"compat"},
    "networks": GROUND | {"compat", "objectives"},
    "training": GROUND | {"compat", "objectives", "networks"},
    "population": GROUND | {"compat", "objectives", "networks", "training"},
    "estimators": GROUND | {"compat", "objectives", "networks", "training", "population"},
    "losses": {"objectives"},
    "scoring": GROUND,
    "sequences": GROUND | {"compat"},
    "inspection": GROUND,
    "saving": GROUND | {"compat", "objectives", "networks", "training", "estimators"},
    "search": GROUND | {"compat", "population", "inspection"},
    "tables": GROUND | {"sequences"},
    "comparison": GROUND | {"compat", "population", "inspection", "search", "tables"},
    "study": GROUND
    | {"compat", "population", "estimators", "inspection", "search", "tables", "comparison"}
    | {"sequences"},
    "cli": GROUND | {"skhp", "search", "inspection", "tables", "comparison", "study"},
    "__main__": {"cli"},
    "skhp": GROUND | {"population", "estimators", "saving", "inspection", "search", "comparison"},
}

USES_TENSORFLOW = {"objectives", "networks", "training"}
USES_PRIVATE_TENSORFLOW = {"skhp/compat/tensorflow.py"}
USES_SCIKERAS = {"skhp/estimators/keras_model/model_wrapper.py"}
USES_PRIVATE_SCIKIT_LEARN = {"skhp/compat/scikit_learn.py"}
USES_PRIVATE_KERAS = {"skhp/compat/keras.py"}
USES_PRIVATE_JOBLIB = {"skhp/compat/joblib.py"}
USES_PRIVATE_SCIKIT_OPTIMIZE = {"skhp/compat/scikit_optimize.py"}
USES_PRIVATE_SKOPS = {"skhp/compat/skops.py"}
# Underscored so that they do not clash with fields, and documented.
PUBLIC_OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
# Documented as well: it ends the process without an exception.
PUBLIC_OF_OS = {"_exit"}
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "handler", "handlers"}
MOST_LINES = 400
MOST_FILES = 15


@dataclass(frozen=True)
class Module:
    """A source file: its path from the root, its part of skhp, its syntax tree."""

    path: str
    part: str
    tree: ast.Module

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{node.lineno}: {what}"


@functools.cache
def modules(root: Path, folder: str = "skhp") -> tuple[Module, ...]:
    return tuple(_modules(root, folder))


def _modules(root: Path, folder: str) -> Iterator[Module]:
    for path in sorted((root / folder).rglob("*.py")):
        within = path.relative_to(root / folder)
        part = (
            folder if within.name == "__init__.py" and len(within.parts) == 1 else within.parts[0]
        )
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield Module(path.relative_to(root).as_posix(), part.removesuffix(".py"), tree)


@functools.cache
def nodes(module: Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(module.tree))


@functools.cache
def imports(module: Module) -> tuple[tuple[ast.AST, str], ...]:
    """Everything imported, with its full dotted name, by a statement or by a call."""
    return tuple(_imports(module))


def _imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    package = module.path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not module.path.endswith("__init__.py"):
        package = package[:-1]
    for node in nodes(module):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield node, f"{source}.{name.name}"
        elif (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and (getattr(node.func, "attr", None) or getattr(node.func, "id", None))
            in ("import_module", "__import__")
        ):
            yield node, str(node.args[0].value)


@functools.cache
def chains(module: Module) -> tuple[tuple[ast.Attribute, str], ...]:
    """Every chain of attributes that starts at an imported name, with its full dotted name."""
    return tuple(_chains(module))


def _chains(module: Module) -> Iterator[tuple[ast.Attribute, str]]:
    meaning = {}
    for node in nodes(module):
        if isinstance(node, ast.Import):
            for name in node.names:
                top = name.name.split(".")[0]
                meaning[name.asname or top] = name.name if name.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for name in node.names:
                meaning[name.asname or name.name] = f"{node.module}.{name.name}"
    within_others = {id(node.value) for node in nodes(module) if isinstance(node, ast.Attribute)}
    for node in nodes(module):
        if isinstance(node, ast.Attribute) and id(node) not in within_others:
            names, value = [node.attr], node.value
            while isinstance(value, ast.Attribute):
                names.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in meaning:
                yield node, ".".join([meaning[value.id], *reversed(names)])


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


# ---------------------------------------------------------------- the rules


def tensorflow_stays_below(root: Path) -> list[str]:
    """TensorFlow is imported in the rooms that compute with it only."""
    return [
        module.at(node, f"imports {name}")
        for module in modules(root)
        if module.part not in USES_TENSORFLOW and module.path not in USES_PRIVATE_TENSORFLOW
        for node, name in imports(module)
        if within(name, "tensorflow")
    ]


def no_insides_of_keras(root: Path) -> list[str]:
    """`keras.src` is named nowhere: not in an import, not as an attribute, not in a string."""
    found = [
        module.at(node, f"uses {name}")
        for folder in ("skhp", "tests")
        for module in modules(root, folder)
        for node, name in (*imports(module), *chains(module))
        if within(name, "keras.src")
    ]
    return found + [
        module.at(node, f"names keras.src in {node.value!r}")
        for module in modules(root)
        for node in nodes(module)
        if isinstance(node, ast.Constant) and "keras.src" in str(node.value)
    ]


def private_names_of(library: str, root: Path, allowed: set[str]) -> list[str]:
    return [
        module.at(node, f"uses {name}")
        for module in modules(root)
        if module.path not in allowed
        for node, name in (*imports(module), *chains(module))
        if within(name, library) and any(map(is_private, name.split(".")))
    ]


def private_scikit_learn_in_one_file(root: Path) -> list[str]:
    """Private names of scikit-learn are used in one file."""
    return private_names_of("sklearn", root, USES_PRIVATE_SCIKIT_LEARN)


def private_keras_in_one_file(root: Path) -> list[str]:
    """Private names of Keras, and its modules out of `sys.modules`, are used in one file."""
    out_of_sys_modules = [
        module.at(node, f"uses {ast.unparse(node)}")
        for module in modules(root)
        if module.path not in USES_PRIVATE_KERAS
        for node in nodes(module)
        if isinstance(node, ast.Subscript | ast.Call)
        and ast.unparse(node).startswith(("sys.modules", "modules["))
        and "keras" in ast.unparse(node)
    ]
    return private_names_of("keras", root, USES_PRIVATE_KERAS) + out_of_sys_modules


def private_joblib_in_one_file(root: Path) -> list[str]:
    """Private names of joblib are used in one file."""
    return private_names_of("joblib", root, USES_PRIVATE_JOBLIB)


def private_scikit_optimize_in_one_file(root: Path) -> list[str]:
    """Private names of scikit-optimize are used in one file."""
    return private_names_of("skopt", root, USES_PRIVATE_SCIKIT_OPTIMIZE)


def private_skops_in_one_file(root: Path) -> list[str]:
    """Private names of skops are used in one file."""
    return private_names_of("skops", root, USES_PRIVATE_SKOPS)


def private_attributes_of_ones_own_only(root: Path) -> list[str]:
    """Elsewhere a private attribute is one of `self`, of `cls` or of a class of skhp."""
    allowed = (
        USES_PRIVATE_SCIKIT_LEARN
        | USES_PRIVATE_KERAS
        | USES_PRIVATE_JOBLIB
        | USES_PRIVATE_SCIKIT_OPTIMIZE
        | USES_PRIVATE_SKOPS
        | USES_SCIKERAS
    )
    found = []
    for module in modules(root):
        if module.path in allowed:
            continue
        own = {"self", "cls", "super()"}
        for node in nodes(module):
            if isinstance(node, ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.ImportFrom) and within(node.module or "", "skhp"):
                own |= {name.asname or name.name for name in node.names}
        found += [
            module.at(node, f"uses {ast.unparse(node)}")
            for node in nodes(module)
            if isinstance(node, ast.Attribute)
            and is_private(node.attr)
            and node.attr not in PUBLIC_OF_NAMED_TUPLES | PUBLIC_OF_OS
            and ast.unparse(node.value) not in own
        ]
    return found


def scikeras_in_its_place(root: Path) -> list[str]:
    """SciKeras is imported where its wrapper is extended."""
    return [
        module.at(node, f"imports {name}")
        for module in modules(root)
        if module.path not in USES_SCIKERAS
        for node, name in imports(module)
        if within(name, "scikeras")
    ]


def data_flows_one_way(root: Path) -> list[str]:
    """A part of skhp imports the parts that MAY_IMPORT lists."""
    found = []
    for module in modules(root):
        if module.part not in MAY_IMPORT:
            found.append(f"{module.path}:1: give {module.part!r} a line in MAY_IMPORT")
            continue
        for node, name in imports(module):
            if not within(name, "skhp"):
                continue
            _, _, rest = name.partition(".")
            part = rest.split(".")[0]
            inside = root / "skhp" / part
            if not part or not (inside.is_dir() or inside.with_suffix(".py").is_file()):
                part = "skhp"
            if part != module.part and part not in MAY_IMPORT[module.part]:
                found.append(module.at(node, f"{module.part} imports {name}"))
    return found


def no_circles(root: Path) -> list[str]:
    """No module imports itself by way of others: neither within functions nor for types."""
    paths = {
        module.path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): module
        for module in modules(root)
    }
    imported = {
        name: {
            target
            for _, full in imports(module)
            for target in (full, full.rpartition(".")[0])
            if target in paths and target != name and not within(name, target)
        }
        for name, module in paths.items()
    }
    found = []
    for start in imported:
        reached, waiting = set(), list(imported[start])
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += imported[name]
        if start in reached:
            found.append(f"{paths[start].path}:1: imports itself by way of others")
    return found


def folders_are_small(root: Path) -> list[str]:
    """No folder has more than 15 modules."""
    folders = [root / "skhp", *(path for path in (root / "skhp").rglob("*") if path.is_dir())]
    return [
        f"{folder.relative_to(root).as_posix()}: {count} modules"
        for folder in sorted(folders)
        if (count := len(list(folder.glob("*.py")))) > MOST_FILES
    ]


def inits_hold_names_only(root: Path) -> list[str]:
    """An `__init__.py` holds a docstring, imports, `__all__` and what loads names lazily."""
    found = []
    for module in modules(root):
        if not module.path.endswith("__init__.py"):
            continue
        for node in module.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                if all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in node.body):
                    continue
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if {ast.unparse(target) for target in targets} <= {
                    "__all__",
                    "__version__",
                    "_MODULE_OF",
                }:
                    continue
            elif isinstance(node, ast.FunctionDef):
                if node.name in ("__getattr__", "__dir__"):
                    continue
            elif (module.path, ast.unparse(node)) in (
                ("skhp/objectives/__init__.py", "import_tensorflow_quietly()"),
                ("skhp/__init__.py", "end_command_on_signals()"),
                ("skhp/__init__.py", "register_backend()"),
                ("skhp/population/__init__.py", "make_callable(__name__)"),
            ):
                continue
            found.append(module.at(node, ast.unparse(node).splitlines()[0]))
    return found


def names_say_something(root: Path) -> list[str]:
    """No file or folder is called utils, helpers, manager or handler."""
    return [
        path.relative_to(root).as_posix()
        for folder in ("skhp", "tests")
        for path in sorted((root / folder).rglob("*"))
        if (path.suffix == ".py" or path.is_dir()) and EMPTY_NAMES & set(path.stem.split("_"))
    ]


def files_are_short(root: Path) -> list[str]:
    """No module has more than 400 lines."""
    return [
        f"{path.relative_to(root).as_posix()}: {count} lines"
        for path in sorted((root / "skhp").rglob("*.py"))
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    ]


def metadata_in_one_place(root: Path) -> list[str]:
    """The metadata of the package stands in setup.cfg, and so not in pyproject.toml."""
    found = []
    if "project" in tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")):
        found.append("pyproject.toml: has a table [project]")
    setup = configparser.ConfigParser(interpolation=None)
    setup.read_string((root / "setup.cfg").read_text(encoding="utf-8"))
    if not setup.has_option("metadata", "name"):
        found.append("setup.cfg: has no name under [metadata]")
    return found


RULES = (
    tensorflow_stays_below,
    no_insides_of_keras,
    private_scikit_learn_in_one_file,
    private_keras_in_one_file,
    private_joblib_in_one_file,
    private_scikit_optimize_in_one_file,
    private_skops_in_one_file,
    private_attributes_of_ones_own_only,
    scikeras_in_its_place,
    data_flows_one_way,
    no_circles,
    inits_hold_names_only,
    names_say_something,
    files_are_short,
    folders_are_small,
    metadata_in_one_place,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule):
    assert rule(ROOT) == []


# ---------------------------------------------------------------- each rule can fail

CLEAN = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n',
    "setup.cfg": "[metadata]\nname = skhp\n",
    "skhp/__init__.py": (
        '"""Names."""\n'
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from skhp.estimators.mlp import MLP\n"
        "__version__ = '1'\n__all__ = ['MLP']\n_MODULE_OF = {'MLP': 'skhp.estimators.mlp'}\n"
        "def __getattr__(name): return name\ndef __dir__(): return __all__\n"
    ),
    "skhp/__main__.py": "from skhp.cli import main\n",
    "skhp/cli/command.py": "from skhp.study.study import run\nfrom skhp import MLP\n",
    "skhp/exceptions.py": "from sklearn.exceptions import ConvergenceWarning\n",
    "skhp/shared/nearest_name.py": "import difflib\n",
    "skhp/objectives/__init__.py": (
        '"""Losses."""\nfrom skhp.compat.quiet import import_tensorflow_quietly\n'
        "import_tensorflow_quietly()\nfrom .losses import loss\n"
    ),
    "skhp/objectives/losses.py": "def loss(): pass\n",
    "skhp/compat/quiet.py": "import sys\nprint('tensorflow' in sys.modules)\n",
    "skhp/networks/build.py": (
        "import keras\nfrom skhp.exceptions import Error\nkeras.layers.Dense\n"
    ),
    "skhp/compat/keras.py": (
        "import sys\nimport keras\nSEEDS = sys.modules[keras.random.SeedGenerator.__module__]\n"
        "keras.random._seeds\n"
    ),
    "skhp/training/training_rows.py": (
        "import tensorflow as tf\nimport skhp.networks.build\ntf.data.Dataset\n"
    ),
    "skhp/estimators/mlp.py": (
        "from skhp.estimators.base import Base\nfrom skhp.training.training_rows import batches\n"
        "class MLP(Base):\n    x = Base._x\n    def f(self): return self._x, super()._x\n"
        "import sklearn\nsklearn.__version__\n"
    ),
    "skhp/estimators/base.py": "from skhp.networks import build\nclass Base:\n    _x = 1\n",
    "skhp/compat/scikit_learn.py": (
        "from sklearn.base import _fit_context\nfrom sklearn.utils._tags import Tags\n"
        "def f(estimator): return estimator._init_callback_context()\n"
    ),
    "skhp/estimators/keras_model/model_wrapper.py": "from scikeras.wrappers import BaseWrapper\n",
    "skhp/compat/joblib.py": "from joblib import parallel\nparallel._backend\n",
    "skhp/compat/scikit_optimize.py": "import skopt\nskopt.space._uniform\n",
    "skhp/study/study.py": (
        "from skhp.estimators.mlp import MLP\nfrom skhp.tables.table import read\n"
    ),
    "skhp/tables/table.py": "import pandas\nfrom skhp.shared.nearest_name import nearest_name\n",
    "tests/test_anything.py": "from sklearn.utils._tags import Tags\n'keras.src'\n",
}


def planted(root, files):
    for path, text in (CLEAN | files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_clean_tree_breaks_no_rule(rule, tmp_path):
    assert rule(planted(tmp_path, {})) == []


BUILD = "skhp/networks/build.py"
STREAMS = "skhp/training/training_rows.py"
MLP = "skhp/estimators/mlp.py"
STUDY = "skhp/study/study.py"


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (tensorflow_stays_below, MLP, "import tensorflow as tf"),
        (tensorflow_stays_below, STUDY, "from tensorflow.data import Dataset"),
        (tensorflow_stays_below, MLP, "def f():\n    import tensorflow"),
        (tensorflow_stays_below, MLP, "import importlib\nimportlib.import_module('tensorflow')"),
        (tensorflow_stays_below, "skhp/cli/command.py", "if TYPE_CHECKING:\n    import tensorflow"),
        (no_insides_of_keras, BUILD, "from keras.src import backend"),
        (no_insides_of_keras, BUILD, "import keras.src.backend as backend"),
        (no_insides_of_keras, BUILD, "import keras\nkeras.src.backend"),
        (no_insides_of_keras, BUILD, "import keras as k\nk.src.backend"),
        (no_insides_of_keras, BUILD, "name = 'keras.src.random'"),
        (no_insides_of_keras, "tests/test_anything.py", "from keras.src import backend"),
        (private_scikit_learn_in_one_file, MLP, "from sklearn.base import _fit_context"),
        (private_scikit_learn_in_one_file, MLP, "from sklearn.utils._tags import Tags"),
        (private_scikit_learn_in_one_file, MLP, "import sklearn.utils._tags"),
        (private_scikit_learn_in_one_file, MLP, "from sklearn.utils import _tags as tags"),
        (private_scikit_learn_in_one_file, MLP, "from sklearn import base\nbase._fit_context"),
        (private_scikit_learn_in_one_file, STUDY, "import sklearn\nsklearn.utils._tags.Tags()"),
        (private_keras_in_one_file, BUILD, "from keras.layers import _Dense"),
        (private_keras_in_one_file, BUILD, "import keras\nkeras._tf_keras.layers"),
        (private_keras_in_one_file, BUILD, "from keras import random\nrandom._seeds"),
        (private_keras_in_one_file, BUILD, "import sys\nsys.modules['keras.random']"),
        (private_keras_in_one_file, BUILD, "import sys\nsys.modules.get('keras.random')"),
        (private_keras_in_one_file, MLP, "import sys\nsys.modules[keras.Model.__module__]"),
        (
            private_joblib_in_one_file,
            STUDY,
            "from joblib._parallel_backends import ThreadingBackend",
        ),
        (private_scikit_optimize_in_one_file, STUDY, "import skopt\nskopt.space._uniform"),
        (private_skops_in_one_file, STUDY, "from skops.io import _audit"),
        (private_attributes_of_ones_own_only, BUILD, "def f(model): return model._compiled"),
        (private_attributes_of_ones_own_only, MLP, "def f(x): return x.optimizer._variables"),
        (private_attributes_of_ones_own_only, MLP, "def f(x): x._variables = 3"),
        (scikeras_in_its_place, MLP, "from scikeras.wrappers import BaseWrapper"),
        (scikeras_in_its_place, BUILD, "import scikeras"),
        (data_flows_one_way, BUILD, "from skhp.training.training_rows import batches"),
        (data_flows_one_way, BUILD, "from ..training import streams"),
        (data_flows_one_way, BUILD, "import skhp.estimators.mlp"),
        (data_flows_one_way, BUILD, "from skhp import estimators"),
        (data_flows_one_way, BUILD, "from skhp import MLP"),
        (data_flows_one_way, BUILD, "import skhp.study.study"),
        (data_flows_one_way, BUILD, "from skhp.cli import main"),
        (data_flows_one_way, STREAMS, "from skhp.estimators.mlp import MLP"),
        (data_flows_one_way, STREAMS, "def f():\n    from skhp.comparison import study"),
        (data_flows_one_way, MLP, "from skhp.tables.table import read"),
        (data_flows_one_way, MLP, "from skhp.cli import main"),
        (data_flows_one_way, STUDY, "from skhp.networks.build import build"),
        (data_flows_one_way, STUDY, "from skhp import MLP"),
        (data_flows_one_way, STUDY, "from skhp import training"),
        (data_flows_one_way, STUDY, "from skhp.cli import main"),
        (data_flows_one_way, "skhp/__init__.py", "from skhp.cli import main"),
        (
            data_flows_one_way,
            "skhp/exceptions.py",
            "from skhp.shared.nearest_name import nearest_name",
        ),
        (data_flows_one_way, "skhp/population/train.py", "import skhp.estimators.mlp"),
        (data_flows_one_way, "skhp/elsewhere/train.py", "import os"),
        (inits_hold_names_only, "skhp/training/__init__.py", "class A: pass"),
        (inits_hold_names_only, "skhp/training/__init__.py", "def f(): pass"),
        (inits_hold_names_only, "skhp/training/__init__.py", "import_tensorflow_quietly()"),
        (inits_hold_names_only, "skhp/networks/__init__.py", "print('networks')"),
        (inits_hold_names_only, "skhp/__init__.py", "RATE = 3"),
        (inits_hold_names_only, "skhp/__init__.py", "if TYPE_CHECKING:\n    x = 3"),
        (inits_hold_names_only, "skhp/__init__.py", "if True:\n    import os"),
        (inits_hold_names_only, "skhp/__init__.py", "for x in (): pass"),
        (names_say_something, "skhp/utils.py", ""),
        (names_say_something, "skhp/training/file_helpers.py", ""),
        (names_say_something, "skhp/manager/run.py", ""),
        (names_say_something, "tests/utils.py", ""),
        (names_say_something, "skhp/training/epoch_handler.py", ""),
        (files_are_short, BUILD, "x = 1\n" * 401),
        (metadata_in_one_place, "pyproject.toml", "[project]\nname = 'skhp'"),
        (metadata_in_one_place, "setup.cfg", "[options]\npackages = find:"),
    ],
)
def test_a_planted_violation_is_found(rule, path, text, tmp_path):
    (found,) = rule(planted(tmp_path, {path: text}))
    assert path in found or Path(path).parent.as_posix() == found


def test_four_hundred_lines_are_still_short(tmp_path):
    assert files_are_short(planted(tmp_path, {BUILD: "x = 1\n" * 400})) == []


@pytest.mark.parametrize(
    "text",
    [
        "from skhp.estimators.mlp import MLP",
        "def f():\n    from skhp.estimators.mlp import MLP",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import skhp.estimators.mlp",
        "import skhp.training.training_rows",
    ],
)
def test_a_circle_is_found_at_both_ends(text, tmp_path):
    other = STREAMS if STREAMS[5:-3].replace("/", ".") in text else MLP
    files = {STREAMS: "import skhp.estimators.base"} if other == STREAMS else {}
    found = no_circles(planted(tmp_path, {"skhp/estimators/base.py": text, **files}))
    assert {line.split(":")[0] for line in found} == {"skhp/estimators/base.py", other}


def test_a_folder_of_sixteen_modules_is_found(tmp_path):
    files = {f"skhp/tables/part_{number}.py": "" for number in range(14)}
    assert folders_are_small(planted(tmp_path, files)) == []
    files["skhp/tables/part_14.py"] = ""
    assert folders_are_small(planted(tmp_path, files)) == ["skhp/tables: 16 modules"]


def test_every_line_of_a_violation_is_told(tmp_path):
    text = "import os\nimport tensorflow\n\nimport tensorflow.data\n"
    found = tensorflow_stays_below(planted(tmp_path, {MLP: text}))
    assert found == [f"{MLP}:2: imports tensorflow", f"{MLP}:4: imports tensorflow.data"]


def test_the_real_tree_is_read():
    # A rule over no modules would hold whatever they contain.
    paths = {module.path for module in modules(ROOT)}
    assert {"skhp/__init__.py", *USES_PRIVATE_SCIKIT_LEARN, BUILD, STREAMS} <= paths
    assert {module.part for module in modules(ROOT)} <= set(MAY_IMPORT)
