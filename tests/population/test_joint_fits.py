"""`fit_together`: what each estimator would have learnt alone, in one population."""

import gc
import weakref
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import InvalidParameterError, KerasMLPClassifier, KerasMLPRegressor
from skhp.exceptions import NonFiniteLossWarning
from skhp.population import fit_together
from skhp.population.backend import population
from skhp.population.cohorts import population_training as cohorts

pytestmark = pytest.mark.slow


@pytest.fixture
def populations(monkeypatch):
    """How many fits each population was of."""
    counts = []
    train_population = cohorts.train_population

    def noting(tasks, *arguments):
        counts.append(len(tasks))
        return train_population(tasks, *arguments)

    monkeypatch.setattr(cohorts, "train_population", noting)
    return counts


def network(seed=0, **parameters):
    return KerasMLPClassifier(epochs=4, random_state=seed, **parameters)


def test_each_estimator_ends_up_as_its_own_fit_leaves_it(two_classes, populations):
    X, y = two_classes
    estimators = [network(seed) for seed in range(3)]
    estimators.append(make_pipeline(StandardScaler(), network(3, dropout=0.2)))
    weight = np.linspace(0.5, 2.0, len(y))
    alone = [clone(one).fit(X, y) for one in estimators]
    weighted = network().fit(X, y, sample_weight=weight)
    populations.clear()

    fitted = fit_together(
        [*((one, X, y) for one in estimators), (network(), X, y, {"sample_weight": weight})]
    )

    assert populations == [5]
    assert all(mine is given for mine, given in zip(fitted, estimators, strict=False))
    for ours, expected in zip(fitted, [*alone, weighted], strict=True):
        np.testing.assert_allclose(ours.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    assert not np.allclose(fitted[0].predict_proba(X), weighted.predict_proba(X), atol=1e-3)


def test_other_rows_and_other_kinds_of_estimators_are_fitted_in_the_same_call(
    two_classes, regression, populations
):
    X, y = two_classes
    fitted = fit_together(
        [
            (LogisticRegression(), X, y),
            (network(), X[::2], y[::2]),
            (KerasMLPRegressor(epochs=3, random_state=0), *regression),
        ]
    )
    assert populations == [2]
    np.testing.assert_allclose(fitted[0].coef_, LogisticRegression().fit(X, y).coef_)
    alone = network().fit(X[::2], y[::2])
    np.testing.assert_allclose(fitted[1].predict_proba(X), alone.predict_proba(X), atol=1e-5)
    assert fitted[2].n_iter_ == 3


def test_what_a_fit_raises_takes_its_place_and_ends_no_other(two_classes):
    X, y = two_classes
    fitted = fit_together(
        [
            (network(), X, y),
            (KerasMLPClassifier(epochs=-1), X, y),
            (network(), X[:5], y),
            (LogisticRegression(C=-1.0), X, y),
        ]
    )
    assert fitted[0].n_iter_ == 4
    assert [type(one) for one in fitted[1:3]] == [InvalidParameterError, ValueError]
    assert "C" in str(fitted[3])


def test_pipelines_do_not_share_their_fitted_steps(two_classes):
    X, y = two_classes
    first, second = fit_together(
        (make_pipeline(StandardScaler(), network(seed)), X, y) for seed in range(2)
    )
    assert first[0] is not second[0]
    np.testing.assert_array_equal(first[0].mean_, X.mean(axis=0))


def test_an_exploding_loss_warns_as_in_a_lone_fit(two_classes):
    X, y = two_classes
    exploding = network(optimizer="sgd", learning_rate=1e30)
    with pytest.warns(NonFiniteLossWarning):
        fitted, _ = fit_together([(exploding, X, y), (network(), X, y)])
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_what_cannot_join_is_fitted_by_keras(two_classes, populations):
    X, y = two_classes
    (fitted,) = fit_together([(network(engine="keras"), X, y)])
    assert populations == []
    assert fitted.n_iter_ == 4


@pytest.mark.parametrize(
    ("fits", "message"),
    [
        ([(LogisticRegression(), [[0]])], r"fit 0 .* \(estimator, X, y\)"),
        ([LogisticRegression()], "give a tuple"),
    ],
)
def test_what_is_not_a_fit_is_refused(fits, message):
    with pytest.raises(ValueError, match=message):
        fit_together(fits)


def test_an_estimator_is_not_fitted_twice(two_classes):
    X, y = two_classes
    once = network()
    with pytest.raises(ValueError, match=r"fit 1 .* clone"):
        fit_together([(once, X, y), (once, X[:50], y[:50])])


def test_options_are_those_of_a_population(two_classes):
    with pytest.raises(InvalidParameterError, match="memory_limit"):
        fit_together([(network(), *two_classes)], memory_limit="much")


def test_ctrl_c_ends_everything(two_classes, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cohorts, "train_population", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_together([(network(), *two_classes)])


def test_nothing_to_fit_is_nothing():
    assert fit_together([]) == []


def test_each_is_handed_on_when_it_is_fitted_and_not_kept(two_classes, populations):
    X, y = two_classes
    alive, most_alive, told = weakref.WeakSet(), [], {}

    def fits():
        for seed in range(4):
            alive.add(estimator := network(seed))
            yield estimator, X, y
        yield KerasMLPClassifier(epochs=-1), X, y

    def score(number, fitted, seconds):
        gc.collect()
        most_alive.append(len(alive))
        told[number] = seconds
        return fitted if isinstance(fitted, Exception) else fitted.score(X, y)

    *scores, error = fit_together(fits(), on_fitted=score)
    assert populations == [4]
    assert scores == [network(seed).fit(X, y).score(X, y) for seed in range(4)]
    assert isinstance(error, InvalidParameterError)
    assert told.keys() == set(range(5))
    assert min(told.values()) >= 0
    # Those that are fitted go; the one at hand and the one before may still be referred to.
    assert most_alive[0] == 4
    assert most_alive[-1] <= 2


def test_seconds_are_those_of_the_training_too(two_classes, monkeypatch):
    train_population = cohorts.train_population

    def slow(*arguments):
        for number, result in train_population(*arguments):
            yield number, replace(result, seconds=1000.0)

    monkeypatch.setattr(cohorts, "train_population", slow)
    (seconds,) = fit_together(
        [(network(), *two_classes)], on_fitted=lambda number, fitted, seconds: seconds
    )
    assert 1000.0 < seconds < 2000.0


def test_what_is_raised_when_one_is_fitted_ends_all(two_classes):
    def refuse(number, fitted, seconds):
        numbers.append(number)
        raise ZeroDivisionError("enough")

    numbers = []
    with pytest.raises(ZeroDivisionError, match="enough"):
        fit_together([(network(seed), *two_classes) for seed in range(3)], on_fitted=refuse)
    assert len(numbers) == 1


def test_an_estimator_that_is_taken_in_between_may_be_fitted_twice(two_classes):
    X, y = two_classes
    once = network()
    scores = fit_together(
        [(once, X, y), (once, X[:50], y[:50])],
        on_fitted=lambda number, fitted, seconds: fitted.score(X, y),
    )
    assert scores == [
        network().fit(X, y).score(X, y),
        network().fit(X[:50], y[:50]).score(X, y),
    ]


def test_what_cannot_join_is_fitted_by_whom_the_user_names(two_classes, populations):
    X, y = two_classes
    others = [LogisticRegression(), network(engine="keras")]
    fitted = fit_together(
        [(others[0], X, y), (network(), X, y), (others[1], X, y)],
        on_fitted=lambda number, fitted, seconds: number,
        fit_others=lambda numbers: [f"elsewhere {number}" for number in numbers],
    )
    assert fitted == ["elsewhere 0", 1, "elsewhere 2"]
    assert populations == [1]
    assert not any(hasattr(one, "classes_") for one in others)


def test_too_few_results_from_elsewhere_are_refused(two_classes):
    with pytest.raises(ValueError, match=r"returned 0 results for 1 fits"):
        fit_together([(LogisticRegression(), *two_classes)], fit_others=lambda numbers: [])


def test_a_population_that_is_switched_on_is_taken(two_classes, monkeypatch, capsys):
    taken = []
    train_population = cohorts.train_population

    def noting(tasks, options, *others):
        taken.append(options)
        return train_population(tasks, options, *others)

    monkeypatch.setattr(cohorts, "train_population", noting)
    with population(n_jobs=2, memory_limit="1GB", chunk=1, verbose=1):
        fit_together([(network(), *two_classes)], chunk=3)
    (options,) = taken
    assert (options.n_jobs, options.memory_limit, options.chunk) == (2, 10**9, 3)
    assert "Trained 1 out of 1" in capsys.readouterr().err
    with joblib.parallel_config(backend="skhp", n_jobs=3):
        fit_together([(network(), *two_classes)])
    assert taken[1].n_jobs == 3
