import itertools
import os

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp import JournalMismatchError
from skhp.study.network_search import (
    CandidateCount,
    count_candidates,
    search_network,
    winning_parameters,
)
from skhp.study.search_space import (
    BATCH_SIZES,
    DEFAULT_CANDIDATES,
    LEARNING_RATES,
    SearchSpace,
)

pytestmark = pytest.mark.slow

FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)
KINDS = ["grid", "random", "halving", "bayes", "tpe"]
# Of bayes no more than it draws before it models the scores, which takes seconds.
DRAWS = {"random": 5, "bayes": 9, "tpe": 10}


@pytest.fixture
def rows():
    return make_classification(80, weights=[0.7], random_state=0)


@pytest.fixture
def pipeline(network):
    return Pipeline([("scale", StandardScaler()), ("net", network.set_params(random_state=0))])


def test_the_grid_is_every_pair_scored_as_by_hand(rows, pipeline):
    search = search_network(pipeline, *rows, get_scorer("f1"), FOLDS)
    tried = [
        (params["net__learning_rate"], params["net__batch_size"])
        for params in search.cv_results_["params"]
    ]
    assert sorted(tried) == sorted(itertools.product(LEARNING_RATES, BATCH_SIZES))
    assert len(tried) == count_candidates("grid")
    by_hand = [
        cross_val_score(pipeline.set_params(**params), *rows, scoring="f1", cv=FOLDS).mean()
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_params_ == search.cv_results_["params"][np.argmax(by_hand)]


def test_the_default_grid():
    assert LEARNING_RATES == (0.1, 0.01, 0.001, 0.0001, 0.00001)
    assert BATCH_SIZES == (10, 20, 40, 60)


@pytest.mark.parametrize("kind", ["grid", "random", "tpe"])
def test_a_space_may_have_more_parameters(kind, rows, pipeline):
    space = SearchSpace((0.1, 0.01), (10, 11), {"epochs": (1, 2, 3)})
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind=kind, space=space, n_candidates=10
    )
    tried = search.cv_results_["params"]
    assert {params["net__epochs"] for params in tried} == {1, 2, 3}
    assert {params["net__batch_size"] for params in tried} == {10, 11}
    rates = [params["net__learning_rate"] for params in tried]
    assert min(rates) >= 0.01
    assert max(rates) <= 0.1
    if kind == "grid":
        assert len(tried) == count_candidates("grid", space=space) == 12
        assert set(rates) == {0.1, 0.01}
    else:
        assert len(set(rates)) > 2


def test_networks_of_all_candidates_and_folds_train_together_as_if_alone(rows, trained_together):
    from skhp import KerasMLPClassifier

    network = KerasMLPClassifier(neurons=3, epochs=4, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", network)])
    # A score without steps, which shows the rounding of weights and no more.
    scorer = get_scorer("neg_log_loss")
    with trained_together() as populations:
        search = search_network(pipeline, *rows, scorer, FOLDS)
    assert populations == [5 * 4 * 2]
    # Every third candidate, among which are all rates and all batch sizes.
    some = search.cv_results_["params"][::3]
    alone = [
        cross_val_score(pipeline.set_params(**params), *rows, scoring=scorer, cv=FOLDS).mean()
        for params in some
    ]
    for name, count in (("net__learning_rate", 5), ("net__batch_size", 4)):
        assert len({params[name] for params in some}) == count
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][::3], alone, rtol=1e-3)
    assert np.ptp(alone) > 0.1


@pytest.mark.parametrize("kind", ["halving", "tpe"])
def test_networks_of_each_round_train_together(kind, rows, trained_together):
    from skhp import KerasMLPClassifier

    network = KerasMLPClassifier(neurons=3, epochs=9, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", network)])
    with trained_together() as populations:
        search_network(
            pipeline,
            *rows,
            get_scorer("f1"),
            FOLDS,
            kind=kind,
            n_candidates=DRAWS.get(kind),
        )
    assert populations == {"halving": [40, 14, 6], "tpe": [16, 4]}[kind]


@pytest.mark.parametrize("epochs", [1, 2, 8, 9])
def test_halving_gives_the_best_third_thrice_the_epochs(epochs, rows, pipeline):
    pipeline.set_params(net__epochs=epochs)
    search = search_network(pipeline, *rows, get_scorer("f1"), FOLDS, kind="halving")
    results = search.cv_results_
    assert len(results["params"]) == count_candidates("halving", epochs=epochs)
    first = [one for one, of in zip(results["params"], results["iter"], strict=True) if of == 0]
    assert sorted((one["net__learning_rate"], one["net__batch_size"]) for one in first) == sorted(
        itertools.product(LEARNING_RATES, BATCH_SIZES)
    )
    given = np.array(results["param_net__epochs"], dtype=int)
    for iteration in range(1, search.n_iterations_):
        earlier, now = (given[results["iter"] == of] for of in (iteration - 1, iteration))
        assert set(now) == {3 * earlier[0]}
        assert len(now) == -(-len(earlier) // 3)
    # All of the epochs, up to what a third of a third leaves over.
    assert epochs / 3 < given[-1] <= epochs
    # The winner is told apart from the others, not held to the epochs that it was given.
    assert winning_parameters(search) == {
        name: value for name, value in search.best_params_.items() if name != "net__epochs"
    }
    assert len(winning_parameters(search)) == 2


@pytest.mark.parametrize("kind", ["bayes", "tpe"])
def test_searches_that_learn_draw_from_the_range_of_rates(kind, rows, pipeline):
    pipeline.set_params(net__epochs=1)
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind=kind, n_candidates=DRAWS[kind]
    )
    logs = np.log10(np.array(search.cv_results_["param_net__learning_rate"], dtype=float))
    assert -5 <= logs.min() < -3.5
    assert -2.5 < logs.max() <= -1 + 1e-9
    # By the logarithm: of draws from the range itself, nearly all are above 1e-3.
    assert (logs < -3).sum() >= 2
    sizes = set(search.cv_results_["param_net__batch_size"])
    assert len(sizes) > 1
    assert sizes <= set(BATCH_SIZES)


def test_a_search_that_learns_draws_ever_better_rates(rows, pipeline):
    pipeline.set_params(net__epochs=1)

    def log_of_rate(classifier, X, y):
        return np.log10(classifier[-1].learning_rate)

    search = search_network(
        pipeline, *rows, log_of_rate, FOLDS, kind="tpe", n_candidates=40, seed=1
    )
    logs = np.log10(np.array(search.cv_results_["param_net__learning_rate"], dtype=float))
    # The least gain of eight seeds was 0.8.
    assert logs[-8:].mean() > logs[:8].mean() + 0.4


@pytest.mark.parametrize("kind", ["random", "bayes", "tpe"])
def test_the_number_of_draws_has_a_default(kind, rows, pipeline, monkeypatch):
    monkeypatch.setitem(DEFAULT_CANDIDATES, kind, 3)
    pipeline.set_params(net__epochs=1)
    search = search_network(pipeline, *rows, get_scorer("f1"), FOLDS, kind=kind)
    assert len(search.cv_results_["params"]) == count_candidates(kind) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_are_told_while_they_are_scored(kind, rows, pipeline):
    epochs = 9 if kind == "halving" else 2
    pipeline.set_params(net__epochs=epochs)
    told = []
    search = search_network(
        pipeline,
        *rows,
        get_scorer("f1"),
        FOLDS,
        kind=kind,
        n_candidates=DRAWS.get(kind),
        on_candidates=lambda *one: told.append(one),
    )
    counts = [done for done, _ in told]
    total = count_candidates(kind, DRAWS.get(kind), epochs=epochs)
    assert told[0] == (0, None)
    assert told[-1] == (total, pytest.approx(search.cv_results_["mean_test_score"].max()))
    assert sorted(set(counts)) == list(range(total + 1))
    assert counts == sorted(counts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_answers_a_second_search(kind, rows, pipeline, tmp_path, monkeypatch):
    pipeline.set_params(net__epochs=9 if kind == "halving" else 2)
    fitted, told = [], []
    partial_fit = MLPClassifier.partial_fit

    def noting(self, *arguments, **keywords):
        fitted.append(1)
        return partial_fit(self, *arguments, **keywords)

    monkeypatch.setattr(MLPClassifier, "partial_fit", noting)

    def search(journal, name="f1"):
        told.clear()
        return search_network(
            pipeline,
            *rows,
            get_scorer(name),
            FOLDS,
            kind=kind,
            n_candidates=DRAWS.get(kind),
            journal=journal,
            on_candidates=lambda *one: told.append(one),
        )

    plain, first = search(None), search(tmp_path / "journal")
    assert fitted
    fitted.clear()
    again = search(tmp_path / "journal")
    assert fitted == []
    # All of a round is done before it ends: each fit is counted when the journal knows it.
    assert told[-2] == (told[-1][0], pytest.approx(told[-1][1]))
    assert told[-1][0] > 0
    for name, column in plain.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(column, first.cv_results_[name])
            np.testing.assert_array_equal(column, again.cv_results_[name])
    kept = (tmp_path / "journal").read_bytes()
    with pytest.raises(JournalMismatchError, match="scoring"):
        search(tmp_path / "journal", "recall")
    assert (tmp_path / "journal").read_bytes() == kept


@pytest.mark.parametrize("kind", ["grid", "halving", "tpe"])
def test_a_time_budget_leaves_what_is_finished(kind, rows, pipeline):
    told = []
    search = search_network(
        pipeline,
        *rows,
        get_scorer("f1"),
        FOLDS,
        kind=kind,
        time_budget=1e-9,
        on_candidates=lambda *one: told.append(one),
    )
    assert search.search_stop_reason_ == "time_budget"
    # A first round of 8 is always done.
    assert len(search.cv_results_["params"]) == told[-1][0] == 8
    assert set(winning_parameters(search)) == {"net__learning_rate", "net__batch_size"}


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_a_scorer_is_called_in_this_process_whatever_the_context(n_jobs, rows, pipeline):
    pipeline.set_params(net__epochs=1)
    called = []

    def scorer(*arguments):
        called.append(os.getpid())
        return get_scorer("f1")(*arguments)

    with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
        search_network(pipeline, *rows, scorer, FOLDS, kind="random", n_candidates=2)
    assert called == 4 * [os.getpid()]


def test_random_draws_cover_the_ranges(rows, pipeline):
    pipeline.set_params(net__epochs=1)
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", n_candidates=60, seed=1
    )
    rates = np.array(search.cv_results_["param_net__learning_rate"], dtype=float)
    sizes = np.array(search.cv_results_["param_net__batch_size"], dtype=int)
    assert len(rates) == count_candidates("random", 60) == 60
    assert 1e-5 <= rates.min() < 1e-4
    assert 1e-2 < rates.max() <= 0.1
    # Uniform in the logarithm: half of the draws are below the geometric mean.
    assert 0.3 < (rates < 1e-3).mean() < 0.7
    assert 10 <= sizes.min() < 20
    assert 50 < sizes.max() <= 60


def test_both_ends_of_the_batch_sizes_are_drawn(rows, pipeline):
    pipeline.set_params(net__epochs=1)
    space = SearchSpace(batch_sizes=(10, 11))
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", space=space, n_candidates=20
    )
    assert set(search.cv_results_["param_net__batch_size"]) == {10, 11}


def test_the_seed_decides_the_draws(rows, pipeline):
    pipeline.set_params(net__epochs=1)
    drawn = [
        search_network(
            pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", n_candidates=2, seed=seed
        ).cv_results_["params"]
        for seed in (3, 3, 4)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_fault_of_the_network_is_not_hidden(rows, pipeline):
    pipeline.set_params(net__epochs="many")
    with pytest.raises(TypeError):
        search_network(pipeline, *rows, get_scorer("f1"), FOLDS)


# ---------------------------------------------------------------- counting candidates

CANDIDATES = [{"C": 1.0, "tol": 0.1}, {"C": 2.0, "tol": 0.1}, {"C": 3.0, "tol": 0.1}]


@pytest.fixture
def told():
    return []


def counting(told):
    return CandidateCount(2, lambda *one: told.append(one))


def round_of(count, candidates, scores, means):
    """A round in which single fits are scored, and which ends with these means."""
    count.round_begins(candidates, {})
    for number, score in scores:
        keywords = {"candidate_progress": (number, len(candidates))}
        count.fit_finished(keywords, {"test_scores": score}, ())
    count.round_ends({"mean_test_score": means})


def test_a_candidate_is_done_when_all_its_folds_are_scored(told):
    scores = [(0, 0.5), (1, 0.9), (0, 0.7), (2, 0.2), (1, 0.1), (2, 0.4)]
    round_of(counting(told), CANDIDATES, scores, [0.6, 0.5, 0.3])
    done = [(0, None), (0, None), (0, None), (1, 0.6), (1, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]
    assert [one[0] for one in told] == [one[0] for one in done]
    assert [one[1] for one in told] == [
        None if best is None else pytest.approx(best) for _, best in done
    ]


def test_rounds_add_up_and_the_best_of_all_is_told(told):
    count = counting(told)
    round_of(count, CANDIDATES[:2], [], [0.6, 0.5])
    told.clear()
    round_of(count, CANDIDATES[2:], [(0, 0.1), (0, 0.2)], [0.6, 0.5, 0.15])
    assert told == [(2, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]


def test_a_round_in_which_all_failed_has_no_best(told):
    round_of(counting(told), CANDIDATES[:1], [], [float("nan")])
    assert told[-1] == (1, None)


def test_the_work_under_way_counts_as_candidates_and_tells_the_time_left():
    """Half of the epochs of 4 candidates are done in 10 s; 8 more candidates come later."""
    from skhp.population.cohorts.time_left import CohortWork
    from skhp.population.report import PopulationProgress

    told = []
    count = CandidateCount(2, lambda *_: None, 12, lambda *one: told.append(one))
    work = CohortWork(8, 8, 20, 1.0, done=10, epochs_left=80, epoch_seconds=1.0)
    count.training_advanced(PopulationProgress(8, 1, 80, 8, 10.0, work=(work,)))
    assert told == []
    count.round_begins([{}] * 4, {})
    count.training_advanced(PopulationProgress(8, 1, 80, 8, 10.0, work=(work,)))
    # 10 s for the rest of this round, and 20 s for each of two more.
    assert told == [(2.0, 50.0)]
    for number in (0, 0):
        count.fit_finished({"candidate_progress": (number, 4)}, {"test_scores": 0.5}, ())
    count.training_advanced(PopulationProgress(8, 1, 80, 8, 10.0, work=(work,)))
    # A finished candidate is not under way any more.
    assert told[-1] == (1.0, 50.0)
