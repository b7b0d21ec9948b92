import dataclasses
import importlib.util

import joblib
import pytest

from skhp.exceptions import InvalidParameterError
from skhp.population.backend import population
from skhp.population.options import PopulationOptions, in_threads, options_of


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, None),
        (1, 1),
        (123456, 123456),
        ("800B", 800),
        ("500MB", 500 * 10**6),
        ("1GiB", 2**30),
        ("1.5 kb", 1500),
        (" 2 KiB ", 2048),
        ("1TB", 10**12),
    ],
)
def test_a_memory_limit_is_a_number_of_bytes(limit, expected):
    assert PopulationOptions(memory_limit=limit).memory_limit == expected


@pytest.mark.parametrize(
    "limit", [0, -1, "0MB", "500", "MB", "5XB", "5iB", "-5MB", "0.1B", True, 1.5, [1]]
)
def test_other_memory_limits_are_refused(limit):
    with pytest.raises(InvalidParameterError, match=r"memory_limit=.*500MB"):
        PopulationOptions(memory_limit=limit)


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("n_jobs", 0, "integer other than 0"),
        ("n_jobs", 1.5, "integer other than 0"),
        ("n_jobs", True, "integer other than 0"),
        ("n_jobs", "all", "integer other than 0"),
        ("backend", "skhp", "another joblib backend"),
        ("backend", 3, "another joblib backend"),
        ("chunk", 0, "at least 1"),
        ("chunk", 2.0, "at least 1"),
        ("chunk", True, "at least 1"),
        ("verbose", -1, "at least 0"),
        ("verbose", "yes", "at least 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(name, value, mend):
    with pytest.raises(InvalidParameterError, match=f"{name}={value!r}.*{mend}"):
        PopulationOptions(**{name: value})


def test_options_that_make_sense():
    options = PopulationOptions(n_jobs=-1, backend="threading", chunk=3, verbose=True)
    assert dataclasses.astuple(options) == (-1, "threading", None, 3, 1, None)
    assert PopulationOptions() == PopulationOptions(None, None, None, None, 0, None)


def test_an_unknown_option_is_named_with_the_nearest():
    with pytest.raises(
        InvalidParameterError,
        match=r"'memory_limits' is not an option.*Did you mean 'memory_limit'",
    ):
        options_of({"memory_limits": 3})


def test_joblib_passes_the_options_on():
    import skhp  # noqa: F401

    with pytest.raises(InvalidParameterError, match=r"'chunks'.*Did you mean 'chunk'"):
        joblib.parallel_config(backend="skhp", chunks=3)
    with joblib.parallel_config(backend="skhp", chunk=3, memory_limit="1kB"):
        backend, n_jobs = joblib.parallel.get_active_backend()
    assert backend.options == PopulationOptions(chunk=3, memory_limit=1000)
    assert n_jobs is None


def test_a_misspelt_backend_is_named_with_the_nearest():
    with (
        pytest.raises(InvalidParameterError, match=r"backend='dsak'.*Did you mean 'dask'"),
        population(backend="dsak"),
    ):
        pass
    with pytest.raises(InvalidParameterError, match=r"backend='lokey'.*Did you mean 'loky'"):
        joblib.parallel_config(backend="skhp", inner="lokey")


def test_the_inner_backend_of_parallel_config_is_the_backend_of_the_population():
    with joblib.parallel_config(backend="skhp", inner="loky", n_jobs=2):
        backend, n_jobs = joblib.parallel.get_active_backend()
    assert (backend.options, n_jobs) == (PopulationOptions(backend="loky"), 2)


@pytest.mark.parametrize(
    ("options", "travel"),
    [
        ({}, False),
        ({"backend": "threading"}, False),
        ({"backend": "sequential"}, False),
        ({"backend": "loky"}, True),
        ({"backend": "dask"}, True),
        ({"backend": "loky", "executor": in_threads}, False),
    ],
)
def test_cohorts_travel_to_workers_outside_of_this_process(options, travel):
    assert PopulationOptions(**options).cohorts_travel is travel


@pytest.mark.parametrize(("library", "backend"), [("distributed", "dask"), ("ray", "ray")])
def test_a_backend_whose_library_is_missing(library, backend, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == library else found(name)
    )
    with (
        pytest.raises(InvalidParameterError, match=rf"pip install skhp\[{backend}\]"),
        population(backend=backend),
    ):
        pass


def test_the_context_is_the_backend_with_these_options():
    outside = joblib.parallel.get_active_backend()[0]
    with population(2, backend="threading", memory_limit="1kB", chunk=4, verbose=1):
        backend, n_jobs = joblib.parallel.get_active_backend()
        assert backend.options == PopulationOptions(2, "threading", 1000, 4, 1)
        assert n_jobs == 2
    assert type(joblib.parallel.get_active_backend()[0]) is type(outside)
    with pytest.raises(InvalidParameterError, match="chunk=0"), population(chunk=0):
        pass


def test_an_outer_number_of_jobs_does_not_count_in_the_context():
    with joblib.parallel_config(n_jobs=7), population():
        assert joblib.parallel.get_active_backend()[1] is None
