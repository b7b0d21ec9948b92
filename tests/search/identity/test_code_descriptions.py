"""What the user's code reaches decides what it is; where it stands does not."""

import contextlib
import importlib
import itertools
import random
import runpy
import subprocess
import sys
import textwrap
import types

import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import FunctionTransformer

from skhp.search.identity.code_descriptions import UndescribableError
from skhp.search.identity.descriptions import digest

pytestmark = pytest.mark.slow

NUMBERS = itertools.count()


def value_of(source, module="program"):
    """What a program calls `searched`, run by itself as a module of this name."""
    scope = {"__name__": module}
    exec(compile(textwrap.dedent(source), f"/somewhere/{next(NUMBERS)}.py", "exec"), scope)
    return scope["searched"]


# A program, and what is edited in it: the text before and after.
EDITED = {
    "a global": ("UNITS = 2\ndef searched(): return UNITS", "2", "64"),
    "the type of a global": ("UNITS = 2\ndef searched(): return UNITS", "2", "2.0"),
    "a global that another one is made of": (
        "UNITS = 2\nLAYERS = [UNITS, UNITS]\ndef searched(): return LAYERS",
        "2",
        "64",
    ),
    "a function that is called": (
        "def units(): return 2\ndef searched(): return units()",
        "2",
        "64",
    ),
    "a global of a function that is called": (
        "UNITS = 2\ndef units(): return UNITS\ndef searched(): return units()",
        "2",
        "64",
    ),
    "a global in an inner function": (
        "UNITS = 2\ndef searched():\n    def inner(): return UNITS\n    return inner()",
        "2",
        "64",
    ),
    "a global in a comprehension": (
        "UNITS = 2\ndef searched(): return {n: [UNITS for _ in range(n)] for n in range(3)}",
        "2",
        "64",
    ),
    "a global in a lambda of a list in a global": (
        "UNITS = 2\nLAYERS = [lambda: UNITS]\ndef searched(): return LAYERS[0]()",
        "2",
        "64",
    ),
    "a global in a class within a function": (
        "UNITS = 2\ndef searched():\n    class Own:\n        units = UNITS\n    return Own",
        "2",
        "64",
    ),
    "a dict": ("S = {'units': [2]}\ndef searched(): return S['units']", "2", "64"),
    "a set": ("S = {2}\ndef searched(): return S", "2", "64"),
    "an array": ("import numpy\nW = numpy.ones(2)\ndef searched(): return W", "ones", "zeros"),
    "a table": (
        "import pandas\nW = pandas.DataFrame({'a': [2]})\ndef searched(): return W",
        "2",
        "64",
    ),
    "a default": ("def units(n=2): return n\ndef searched(): return units()", "2", "64"),
    "a default by keyword": ("def searched(*, n=2): return n", "2", "64"),
    "a closure": (
        "def of(n):\n    def inner(): return n\n    return inner\nsearched = of(2)",
        "of(2)",
        "of(64)",
    ),
    "the name of an argument": (
        "def f(a=1, b=1): return a - b\ndef searched(): return f(a=3)",
        "f(a=3)",
        "f(b=3)",
    ),
    "a global that is looked up by name": (
        "UNITS = 2\ndef searched(): return globals()['UNITS']",
        "2",
        "64",
    ),
    "a global in an expression that is evaluated": (
        "UNITS = 2\ndef searched(): return eval('3 * UNITS')",
        "= 2",
        "= 64",
    ),
    "a global of a module that is looked up": (
        "import sys\nUNITS = 2\ndef searched(): return getattr(sys.modules[__name__], 'UNITS')",
        "2",
        "64",
    ),
    "the names of a dict": (
        "NAMES = {'a': 1}.keys()\ndef searched(): return list(NAMES)",
        "'a'",
        "'b'",
    ),
    "the order of an ordered dict": (
        "from collections import OrderedDict\nD = OrderedDict(a=1, b=2)\n"
        "def searched(): return list(D)",
        "a=1, b=2",
        "b=2, a=1",
    ),
    "a method that is put into a class of a library": (
        "from sklearn.linear_model import Ridge\n"
        "class Own(Ridge): pass\nsearched = Own()\nOwn.score = lambda self, X, y: 2",
        "2",
        "64",
    ),
    "an attribute of a function": (
        "def searched(): return searched.units\nsearched.units = 2",
        "= 2",
        "= 64",
    ),
    "a function within a partial": (
        "from functools import partial\nU = 2\ndef f(n): return n * U\nsearched = partial(f, 3)",
        "U = 2",
        "U = 64",
    ),
    "an argument of a partial that looks like its function": (
        "import functools\ndef f(n): return n\nsearched = functools.partial(f, n=2)\n"
        "functools.update_wrapper(searched, f)",
        "n=2",
        "n=64",
    ),
    "a class attribute of objects in an array": (
        "import numpy\nclass Own:\n    units = 2\nALL = numpy.array([Own()], dtype=object)\n"
        "def searched(): return ALL[0].units",
        "2",
        "64",
    ),
    "an attribute of an object with a method that tensors have": (
        "class Own:\n    def __init__(self): self.units = 2\n    def numpy(self): return 1\n"
        "searched = Own()",
        "2",
        "64",
    ),
    "a decorator that is a class": (
        "import functools\nclass Times:\n    def __init__(self, f):\n"
        "        self.f = functools.update_wrapper(self, f) and f\n"
        "    def __call__(self): return 2 * self.f()\n@Times\ndef searched(): return 1",
        "2",
        "64",
    ),
    "a function within a method": (
        "U = 2\nclass Own:\n    def score(self): return U\nsearched = Own().score",
        "U = 2",
        "U = 64",
    ),
    "a function that is made a method": (
        "import types\nclass Own: pass\nsearched = types.MethodType(lambda self: 2, Own())",
        "2",
        "64",
    ),
    "a decorator": (
        "def d(f):\n    def inner(): return f() + 2\n    return inner\n"
        "@d\ndef searched(): return 1",
        "2",
        "64",
    ),
    "what a decorator of the library wraps": (
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    def inner(): return f()\n"
        "    return inner\n@d\ndef searched(): return 2",
        "2",
        "64",
    ),
    "a cached function": (
        "import functools\nU = 2\n@functools.lru_cache\ndef units(): return U\n"
        "def searched(): return units()",
        "U = 2",
        "U = 64",
    ),
    "a function by type": (
        "import functools\n@functools.singledispatch\ndef searched(x): return 1\n"
        "@searched.register\ndef _(x: int): return 2",
        "2",
        "64",
    ),
    "a context manager": (
        "import contextlib\n@contextlib.contextmanager\ndef within(): yield 2\n"
        "def searched():\n    with within() as n: return n",
        "2",
        "64",
    ),
    "a vectorised function": (
        "import numpy\nU = 2\nf = numpy.vectorize(lambda x: x * U)\ndef searched(x): return f(x)",
        "U = 2",
        "U = 64",
    ),
    "a function that reads itself": (
        "U = 2\ndef searched(n): return other(n)\ndef other(n): return searched(n - 1) if n else U",
        "U = 2",
        "U = 64",
    ),
    "a handler of errors": (
        "def searched():\n    try: return 1\n    except ValueError: return 2",
        "ValueError",
        "TypeError",
    ),
    "a class attribute": ("class searched:\n    units = 2", "2", "64"),
    "a class attribute of an object": ("class Own:\n    units = 2\nsearched = Own()", "2", "64"),
    "a class attribute of an object that is called": (
        "class Own:\n    units = 2\n    def __call__(self): return self.units\nsearched = Own()",
        "2",
        "64",
    ),
    "a class attribute of a base": (
        "class Base:\n    units = 2\nclass Own(Base): pass\nsearched = Own()",
        "2",
        "64",
    ),
    "a base": (
        "class A: units = 2\nclass B: units = 64\nclass Own(A): pass\nsearched = Own()",
        "Own(A)",
        "Own(B)",
    ),
    "a class attribute that a function reads": (
        "class Own:\n    units = 2\ndef searched(): return Own.units",
        "2",
        "64",
    ),
    "a global of a method": (
        "U = 2\nclass searched:\n    def fit(self): return U",
        "U = 2",
        "U = 64",
    ),
    "a property": (
        "class searched:\n    @property\n    def units(self): return 2",
        "2",
        "64",
    ),
    "a cached property": (
        "import functools\nclass searched:\n    @functools.cached_property\n"
        "    def units(self): return 2",
        "2",
        "64",
    ),
    "a static method": ("class searched:\n    @staticmethod\n    def f(): return 2", "2", "64"),
    "a class method": ("class searched:\n    @classmethod\n    def f(cls): return 2", "2", "64"),
    "a default of a method": ("class searched:\n    def f(self, n=2): return n", "2", "64"),
    "a class within a class": ("class searched:\n    class Inner:\n        u = 2", "2", "64"),
    "a metaclass": (
        "class Meta(type):\n    units = 2\nclass searched(metaclass=Meta): pass",
        "2",
        "64",
    ),
    "a member of an enum": (
        "import enum\nclass Size(enum.Enum):\n    SMALL = 2\n"
        "def searched(): return Size.SMALL.value",
        "2",
        "64",
    ),
    "an enum as a value": (
        "import enum\nclass Size(enum.Enum):\n    SMALL = 2\nsearched = Size.SMALL",
        "2",
        "64",
    ),
    "a method of an enum": (
        "import enum\nclass Size(enum.Enum):\n    SMALL = 1\n    def n(self): return 2\n"
        "searched = Size.SMALL",
        "2",
        "64",
    ),
    "a class method of an enum": (
        "import enum\nclass Size(enum.Enum):\n    A = 1\n    B = 2\n    @classmethod\n"
        "    def _missing_(cls, value): return cls.A\nsearched = Size",
        "return cls.A",
        "return cls.B",
    ),
    "a static method of an enum": (
        "import enum\nclass Size(enum.Enum):\n    A = 1\n    @staticmethod\n"
        "    def units(): return 2\nsearched = Size",
        "2",
        "64",
    ),
    "an attribute of a member of an enum": (
        "import enum\nclass Size(enum.Enum):\n    A = 1\nSize.A.units = 2\nsearched = Size",
        "= 2",
        "= 64",
    ),
    "a data class": (
        "import dataclasses\n@dataclasses.dataclass\nclass Own:\n    units: int = 2\n"
        "def searched(): return Own().units",
        "2",
        "64",
    ),
    "a kind of dict": (
        "class Own(dict):\n    def __missing__(self, name): return 2\nsearched = Own()",
        "2",
        "64",
    ),
    "a default of a dict": (
        "from collections import defaultdict\nsearched = defaultdict(lambda: 2)",
        "2",
        "64",
    ),
    "a kind of number": (
        "class Own(float):\n    def doubled(self): return 2 * self\nsearched = Own(1.0)",
        "2",
        "64",
    ),
    "a namespace": (
        "from argparse import Namespace\nARGS = Namespace(units=2)\n"
        "def searched(): return ARGS.units",
        "2",
        "64",
    ),
    "what an estimator in a global has learnt": (
        "from sklearn.preprocessing import StandardScaler\n"
        "SCALER = StandardScaler().fit([[2.0], [3.0]])\n"
        "def searched(X): return SCALER.transform(X)",
        "2.0",
        "64.0",
    ),
    "what a frozen pipeline has learnt": (
        "from sklearn.frozen import FrozenEstimator\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "searched = FrozenEstimator(make_pipeline(StandardScaler()).fit([[2.0], [3.0]]))",
        "2.0",
        "64.0",
    ),
    "a function of a transformer": (
        "from sklearn.preprocessing import FunctionTransformer\nU = 2\n"
        "def times(X): return U * X\nsearched = FunctionTransformer(times)",
        "U = 2",
        "U = 64",
    ),
    "a metric of a scorer": (
        "from sklearn.metrics import make_scorer\nU = 2\n"
        "def metric(y, p): return U\nsearched = make_scorer(metric)",
        "U = 2",
        "U = 64",
    ),
    "an attribute of an estimator of one's own": (
        "from sklearn.base import BaseEstimator\nclass Own(BaseEstimator):\n    units = 2\n"
        "searched = Own()",
        "2",
        "64",
    ),
    "a method that a library wraps": (
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Own(TransformerMixin, BaseEstimator):\n    def fit(self, X): return self\n"
        "    def transform(self, X): return X * 2\n"
        "    def get_feature_names_out(self, names=None): return names\nsearched = Own()",
        "X * 2",
        "X * 64",
    ),
    "requested metadata": (
        "import sklearn\nfrom sklearn.linear_model import Ridge\n"
        "with sklearn.config_context(enable_metadata_routing=True):\n"
        "    searched = Ridge().set_fit_request(sample_weight=True)",
        "sample_weight=True",
        "sample_weight=False",
    ),
}


@pytest.mark.parametrize("case", EDITED)
def test_an_edit_of_what_is_reached_is_another_search(case):
    source, before, after = EDITED[case]
    assert before in source
    assert digest(value_of(source)) != digest(value_of(source.replace(before, after)))


@pytest.mark.parametrize("case", EDITED)
def test_neither_places_nor_the_name_of_the_program_count(case):
    source, *_ = EDITED[case]
    elsewhere = f"# A comment.\n\n\nUNRELATED = 7\n{source}\nOTHER = UNRELATED\n"
    assert digest(value_of(source)) == digest(value_of(elsewhere, "__main__"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def searched(): return 1", "def searched():\n    'A text.'\n\n    return 1  # One."),
        ("class searched:\n    def f(self): 1", "class searched:\n    'A.'\n    def f(self): 1"),
        (
            "def a(): return 1\ndef b(): return 2\ndef searched(): return a() + b()",
            "def searched(): return a() + b()\ndef b(): return 2\ndef a(): return 1",
        ),
        (
            "def searched():\n    class A:\n        'One.'\n        u = 2\n    return A",
            "def searched():\n    class A:\n        'Two.'\n        u = 2\n    return A",
        ),
        (
            "A = 1\ndef searched(self): return self.B\n",
            "A = 1\nB = object\ndef searched(self): return self.B\n",
        ),
        (
            "S = {'a': min, 'b': len}\ndef searched(): S",
            "S = {'b': len, 'a': min}\ndef searched(): S",
        ),
    ],
    ids=[
        "comments",
        "text of a class",
        "text of an inner class",
        "order",
        "a global of an attribute's name",
        "names in a dict",
    ],
)
def test_what_changes_nothing_is_the_same(one, other):
    assert digest(value_of(one)) == digest(value_of(other))


def test_a_copy_in_use_is_the_same():
    # Python notes the slots of a class when it first copies an object of it.
    source = "class Own:\n    units = 2\nsearched = Own()"
    used = value_of(source)
    before = digest(used)
    assert digest(used) == before == digest(value_of(source))


@pytest.mark.parametrize(
    ("made", "kind", "path"),
    [
        ("import threading\nLOCK = threading.Lock()", "_thread.lock", "searched -> LOCK"),
        ("LOCK = open('/dev/null')", "_io.TextIOWrapper", "searched -> LOCK"),
        ("import socket\nLOCK = socket.socket()", "socket.socket", "searched -> LOCK"),
        ("LOCK = (n for n in [1])", "builtins.generator", "searched -> LOCK"),
        ("import sqlite3\nLOCK = {'a': [sqlite3.connect('')]}", "sqlite3.Connection", "LOCK -> a"),
        ("import numpy\nLOCK = numpy.frompyfunc(lambda x: x, 1, 1)", "numpy.ufunc", "-> LOCK"),
        (
            "class Own:\n    def __init__(self): self.log = open('/dev/null')\nLOCK = Own()",
            "_io.TextIOWrapper",
            "LOCK -> log",
        ),
    ],
)
def test_what_cannot_be_described_is_named(made, kind, path):
    value = value_of(f"{made}\ndef apart(): return 1\ndef searched(): return LOCK")
    with contextlib.ExitStack() as stack:
        lock = value.__globals__["LOCK"]
        for opened in lock, getattr(lock, "log", None), *(lock["a"] if type(lock) is dict else ()):
            stack.callback(getattr(opened, "close", list))
        with pytest.raises(UndescribableError) as refusal:
            digest(value)
        digest(value.__globals__["apart"])
    assert str(refusal.value).endswith(f"is a {kind}")
    assert path in " -> ".join(refusal.value.path)


def test_modules_functions_and_classes_of_libraries_are_fine():
    source = """
        import contextlib, logging, os, random, re, threading, time, warnings
        import keras, numpy as np, pandas as pd, scipy.special, sklearn, joblib
        from imblearn.over_sampling import SMOTE
        from sklearn.metrics import f1_score
        LOG, PATTERN, RANDOM = logging.getLogger(__name__), re.compile("a"), random.Random(0)
        GENERATOR, DATE, ERRORS = np.random.default_rng(0), pd.Timestamp("2024"), (ValueError,)
        @contextlib.contextmanager
        def quietly():
            yield
        def searched(X):
            with warnings.catch_warnings(), quietly(), threading.Lock():
                LOG.info("%s", PATTERN, RANDOM, DATE)
                keras.utils.set_random_seed(os.getpid() + time.time_ns())
                joblib.hash(f1_score, GENERATOR, SMOTE, ERRORS, __name__, __file__)
                return np.mean(scipy.special.expit(X)) + sklearn.get_config() + pd.isna(X)
    """
    assert digest(value_of(source)) == digest(value_of(source))


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Writes modules of the user's, and forgets that they were imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources):
        for name in [name for name in sys.modules if name.startswith("own_")]:
            del sys.modules[name]
        for name, source in sources.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        sys.path_importer_cache.clear()
        for cache in tmp_path.rglob("__pycache__"):
            for file in cache.iterdir():
                file.unlink()

    yield write
    write()


@pytest.mark.parametrize(
    "source",
    [
        "import own_settings\ndef searched(): return own_settings.UNITS",
        "import own_settings as s\ndef searched(): return s.units()",
        "from own_settings import UNITS\ndef searched(): return UNITS",
        "from own_settings import units\ndef searched(): return units()",
        "from own_settings import *\ndef searched(): return units()",
        "import own_settings\ndef searched(): return getattr(own_settings, 'UNITS')",
        "def searched():\n    import own_settings\n    return own_settings.UNITS",
        "def searched():\n    import own_settings\n    s = own_settings\n    return s.UNITS",
        "def searched():\n    import own_settings as s\n    return [s.UNITS for _ in 'a']",
        "def searched():\n    from own_settings import UNITS\n    return UNITS",
        "def searched():\n    from own_settings import units as u\n    return u()",
        "import importlib\ndef searched(): return importlib.import_module('own_settings').UNITS",
        "def searched(): return __import__('own_settings').UNITS",
    ],
)
def test_a_module_of_the_users_counts_by_what_is_read_of_it(source, helper):
    module = "import threading\nLOCK = threading.Lock\nUNITS = {0}\ndef units(): return UNITS\n"
    digests = []
    for units in 2, 64, 2:
        helper(own_settings=module.format(units))
        digests.append(digest(value_of(source)))
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize(
    "source",
    [
        "import own_settings\ndef searched(): return own_settings.UNITS",
        "from own_settings import UNITS\ndef searched(): return UNITS",
        "def searched():\n    import own_settings\n    return own_settings.UNITS",
    ],
)
def test_what_is_not_read_of_a_module_does_not_count(source, helper):
    digests = []
    for other in "1", "2", "open('/dev/null')":
        helper(
            own_settings=f"UNITS = 3\nOTHER = {other}\nif hasattr(OTHER, 'close'): OTHER.close()"
        )
        digests.append(digest(value_of(source)))
    assert len(set(digests)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import own_package.part\ndef searched(): return own_package.part.UNITS",
        "def searched():\n    import own_package.part\n    return own_package.part.UNITS",
        "def searched():\n    from own_package import part\n    return part.UNITS",
        "def searched():\n    from own_package.part import UNITS\n    return UNITS",
    ],
)
def test_a_part_of_a_package_of_the_users_counts(source, helper):
    digests = []
    for units in 2, 64:
        helper(own_package____init__="", own_package__part=f"UNITS = {units}")
        digests.append(digest(value_of(source)))
    assert digests[0] != digests[1]


def test_a_part_of_a_package_further_up_counts(helper):
    digests = []
    for units in 2, 64:
        helper(
            own_package____init__="",
            own_package__part=f"UNITS = {units}",
            own_package__inner____init__="",
            own_package__inner__code="def searched():\n    from ..part import UNITS\n    UNITS",
        )
        digests.append(digest(importlib.import_module("own_package.inner.code").searched))
    assert digests[0] != digests[1]


def test_a_method_that_is_put_into_an_installed_class_counts(monkeypatch):
    before = digest(Ridge())
    monkeypatch.setattr(Ridge, "score", lambda self, X, y: 1.0)
    once = digest(Ridge())
    monkeypatch.setattr(Ridge, "score", lambda self, X, y: 2.0)
    assert len({before, once, digest(Ridge())}) == 3
    monkeypatch.undo()
    assert digest(Ridge()) == before


@pytest.mark.parametrize(
    "source",
    [
        "from random import random, choice as it",
        "from numpy.random import rand as it",
        "from sys import stderr as it",
        "import logging\nit = logging.getLogger(__name__)",
        "import logging\nclass Own(logging.Logger): pass\nit = Own('a')",
        "import logging\nit = logging.StreamHandler()",
        "from rich.console import Console\nit = Console()",
        "import tqdm\nit = tqdm.tqdm(total=3, disable=True)",
    ],
)
def test_what_differs_in_each_process_and_decides_nothing_counts_by_name(source):
    random.seed(0)
    before = digest(value_of(f"{source}\ndef searched(): return it"))
    random.seed(1)
    assert digest(value_of(f"{source}\ndef searched(): return it", "another")) == before


def test_a_bar_of_progress_counts_by_what_it_goes_through():
    one, other = (
        value_of(f"import tqdm\nit = tqdm.tqdm([{n}], disable=True)\ndef searched(): return it")
        for n in (2, 64)
    )
    assert digest(one) != digest(other)


def test_a_module_that_is_not_there_is_the_users_own_affair():
    one, other = (
        value_of(f"def searched():\n    import own_nothing\n    return own_nothing.{name}")
        for name in ("UNITS", "RATE")
    )
    assert digest(one) != digest(other)


def test_a_module_of_the_users_is_told_from_one_of_python_by_its_place(helper, monkeypatch):
    # Python has a package of that name, too.
    digests = []
    for units in 2, 64:
        monkeypatch.delitem(sys.modules, "test", raising=False)
        helper(test=f"UNITS = {units}")
        digests.append(digest(value_of("import test\ndef searched(): return test.UNITS")))
    monkeypatch.delitem(sys.modules, "test")
    assert digests[0] != digests[1]


def test_what_is_used_all_over_is_described_once():
    # Each function calls all others: described wherever it is called, they would take for ever.
    names = [f"f{number}" for number in range(60)]
    calls = " + ".join(f"{name}()" for name in names)
    source = "\n".join(f"def {name}(): return {calls}" for name in names)
    one, other = (f"{source}\ndef searched(): return f0() + {n}" for n in (1, 2))
    assert digest(value_of(one)) == digest(value_of(one)) != digest(value_of(other))
    changed = one.replace("def f59(): return", "def f59(): return 1 +")
    assert digest(value_of(changed)) != digest(value_of(one))


def test_what_is_a_long_way_off_is_found():
    names = [f"f{number}" for number in range(1500)]
    chain = itertools.pairwise(names)
    source = "\n".join(f"def {name}(): return {called}()" for name, called in chain)
    source += f"\nUNITS = 2\ndef {names[-1]}(): return UNITS\nsearched = f0"
    assert digest(value_of(source)) == digest(value_of(source))
    assert digest(value_of(source)) != digest(value_of(source.replace("= 2", "= 64")))


def test_functions_that_read_the_set_that_they_are_in_are_described_once():
    names = [f"f{number}" for number in range(30)]
    source = "\n".join(f"def {name}(): return len(ALL) + {name[1:]}" for name in names)
    source += f"\nALL = {{{', '.join(names)}}}\nBY = {{f: 1 for f in ALL}}\nUNITS = 2"
    source += "\ndef searched(): return ALL, BY, UNITS"
    assert digest(value_of(source)) == digest(value_of(source))
    assert digest(value_of(source)) != digest(value_of(source.replace("+ 7", "+ 64")))


def test_the_environment_counts_by_name(monkeypatch):
    source = "from os import environ\ndef searched(): return environ['HOME']"
    before = digest(value_of(source))
    monkeypatch.setenv("OF_ANOTHER_TERMINAL", "1")
    assert digest(value_of(source)) == before


@pytest.mark.parametrize(
    "source",
    [
        "import os\ndef searched(): return os.environ['OWN_UNITS']",
        "import os\ndef searched(): return os.getenv('OWN_UNITS', '1')",
        "def searched():\n    from os import environ\n    return environ.get('OWN_UNITS')",
    ],
)
def test_a_variable_that_is_read_counts(source, monkeypatch):
    digests = []
    for units in "2", "64", "2":
        monkeypatch.setenv("OWN_UNITS", units)
        digests.append(digest(value_of(source)))
    assert digests[0] == digests[2] != digests[1]


def test_sets_of_functions_have_no_order_of_their_own():
    source = "\n".join(f"def f{n}(): return {n}" for n in range(9))
    source += f"\nALL = {{{', '.join(f'f{n}' for n in range(9))}}}\ndef searched(): return ALL"
    assert len({digest(value_of(source)) for _ in range(9)}) == 1


def test_a_program_finds_the_same_when_it_is_imported(tmp_path, monkeypatch, capsys):
    program = tmp_path / "own_program.py"
    program.write_text(
        "from sklearn.base import BaseEstimator\n"
        "UNITS = {'a', 'b', 'c'}\n"
        "def helped(): return UNITS\n"
        "class Own(BaseEstimator):\n"
        "    units = UNITS\n"
        "    def fit(self, X): return helped(), Own\n"
        "from skhp.search.identity.descriptions import digest\n"
        "print(digest([Own(), Own, helped]))\n"
    )
    command = [sys.executable, "own_program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    # As by `python -m own_program`.
    runpy.run_module("own_program", run_name="__main__", alter_sys=True)
    importlib.import_module("own_program")
    monkeypatch.delitem(sys.modules, "own_program")
    assert capsys.readouterr().out == 2 * done.stdout != ""


def test_a_global_that_counts_is_described_as_it_begins():
    transformer = value_of(
        "from sklearn.preprocessing import FunctionTransformer\nCALLS = []\n"
        "def counted(X):\n    CALLS.append(1)\n    return X\n"
        "searched = FunctionTransformer(counted)"
    )
    before = digest(transformer)
    assert digest(FunctionTransformer(transformer.func)) == before
    transformer.fit_transform([[1.0]])
    assert digest(transformer) != before


def test_functions_without_a_module_are_the_users():
    assert digest(types.FunctionType(compile("1", "", "eval"), {})) != digest(
        types.FunctionType(compile("2", "", "eval"), {})
    )
