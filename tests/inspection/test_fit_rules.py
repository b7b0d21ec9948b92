"""Rules on curves whose truth is known, as they were made for it."""

import math

import numpy as np
import pytest

from skhp.inspection.examined_fit import ExaminedFit
from skhp.inspection.fit_rules import findings_of_fit
from skhp.shared.class_targets import TargetSummary

CHANCE = math.log(2)


def curve(n_epochs, last, time):
    """From chance to `last`, with a time constant in epochs."""
    return last + (CHANCE - last) * np.exp(-np.arange(n_epochs) / time)


def fit(loss, val_loss=None, *, kept=None, stop="patience", **parameters):
    loss = np.asarray(loss, dtype=float)
    return ExaminedFit(
        loss=loss,
        val_loss=None if val_loss is None else np.asarray(val_loss, dtype=float),
        kept_epoch=len(loss) if kept is None else kept,
        stop_reason=stop,
        parameters=parameters,
        constant_loss=CHANCE,
    )


def found(examined):
    return [finding.kind for finding in findings_of_fit(examined)]


def noisy(values, seed, deviation):
    return values + np.random.default_rng(seed).normal(0, deviation, len(values))


HEALTHY = {
    "converged": fit(curve(100, 0.2, 15), curve(100, 0.25, 15), kept=90),
    "at the last epoch": fit(curve(100, 0.2, 15), curve(100, 0.25, 15), stop="epochs"),
    "no rows held out": fit(curve(100, 0.2, 15), stop="epochs"),
    "noisy validation": fit(
        curve(100, 0.2, 15), noisy(curve(100, 0.25, 15), 0, 0.02), kept=90, early_stopping=True
    ),
    "almost zero": fit(curve(100, 0.001, 10), curve(100, 0.01, 10), kept=95),
    "learnt in one epoch": fit([0.1, *[0.09] * 9], [0.08, *[0.081] * 9], kept=1),
    "one epoch": fit([0.5], [0.4], stop="epochs"),
    "stopped in time, then rising": fit(
        curve(60, 0.1, 15),
        curve(60, 0.35, 10) + 0.002 * np.arange(60),
        kept=20,
        early_stopping=True,
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_curves_have_no_finding(name):
    assert found(HEALTHY[name]) == []


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_finding(seed):
    examined = fit(
        noisy(curve(80, 0.3, 12), seed, 0.01),
        noisy(curve(80, 0.32, 12), seed + 100, 0.03),
        stop="epochs",
    )
    assert found(examined) == []


def test_a_loss_that_explodes():
    (finding,) = findings_of_fit(
        fit([0.7, 90, np.nan], [0.7, 1, np.nan], stop="non_finite_loss", learning_rate=10.0)
    )
    assert (finding.kind, finding.parameter) == ("non_finite_loss", "learning_rate")
    assert finding.figure == 3
    assert "in epoch 3" in finding.message
    assert "(now 10)" in finding.message


@pytest.mark.parametrize("seed", range(10))
def test_an_erratic_loss(seed):
    random = np.random.default_rng(seed)
    loss = 0.7 + random.exponential(0.3, 40)
    (finding,) = findings_of_fit(fit(loss, loss))
    assert (finding.kind, finding.parameter) == ("learning_rate_too_high", "learning_rate")
    assert f"{finding.figure:.0%}" in finding.message


def test_a_loss_that_stays_above_chance():
    loss = np.full(40, 1.5)
    loss[0] = CHANCE
    (finding,) = findings_of_fit(fit(loss, loss))
    assert finding.kind == "learning_rate_too_high"
    assert finding.figure == pytest.approx(1.5 / CHANCE)


def test_a_falling_penalty_is_not_a_high_learning_rate():
    assert found(fit(20 * curve(400, 0.01, 100), 20 * curve(400, 0.01, 100), kept=390)) == []


@pytest.mark.parametrize("stop", ["epochs", "patience"])
def test_a_loss_that_hardly_moves(stop):
    loss = CHANCE - 1e-5 * np.arange(50)
    (finding,) = findings_of_fit(fit(loss, loss, stop=stop))
    assert (finding.kind, finding.parameter) == ("learning_rate_too_low", "learning_rate")
    assert finding.figure == pytest.approx(CHANCE / 2 / 1e-5, rel=0.01)


def test_too_few_epochs():
    loss = curve(20, 0.2, 20)
    (finding,) = findings_of_fit(fit(loss, loss, stop="epochs"))
    assert (finding.kind, finding.parameter) == ("too_few_epochs", "epochs")
    assert found(fit(loss, stop="epochs")) == ["too_few_epochs"]
    # Only the training loss still falls: more epochs would only fit the training rows.
    assert found(fit(loss, np.full(20, 0.5), stop="epochs")) == []


def test_stopped_after_a_short_wait():
    loss = curve(10, 0.2, 10)
    (finding,) = findings_of_fit(fit(loss, [*loss[:-1], loss[-2] + 0.01], kept=9, patience=1))
    assert (finding.kind, finding.parameter, finding.figure) == ("stopped_too_early", "patience", 1)
    assert "(now 1)" in finding.message
    # A long wait tells that nothing comes any more, and so does a loss at rest.
    long = curve(20, 0.2, 10)
    assert found(fit(long, long, kept=10)) == []
    rested = curve(100, 0.2, 10)
    assert found(fit(rested, rested, kept=99)) == []


def test_weights_of_an_epoch_after_the_best():
    val_loss = curve(60, 0.35, 5) + 0.01 * np.arange(60)
    (finding,) = findings_of_fit(fit(curve(60, 0.02, 15), val_loss, stop="epochs"))
    assert (finding.kind, finding.parameter) == ("overfitting", "epochs")
    assert f"around epoch {np.argmin(val_loss) + 1} " in finding.message
    assert finding.figure == pytest.approx(val_loss[-1] / val_loss.min(), rel=0.1)
    # What comes after the epoch that was kept is no matter.
    kept = int(np.argmin(val_loss)) + 1
    assert found(fit(curve(60, 0.3, 15), val_loss, kept=kept)) == []
    given = fit(curve(60, 0.02, 15), val_loss, stop="epochs", early_stopping=False)
    assert findings_of_fit(given)[0].parameter == "early_stopping"


def test_a_gap_that_grew():
    (finding,) = findings_of_fit(fit(curve(80, 0.02, 15), curve(80, 0.4, 8), kept=70))
    assert (finding.kind, finding.parameter) == ("overfitting", "l2")
    assert finding.figure == pytest.approx(0.37 / CHANCE, rel=0.05)
    # Weighted rows have another loss than others.
    weighted = fit(curve(80, 0.02, 15), curve(80, 0.4, 8), kept=70, class_weight="balanced")
    assert found(weighted) == []
    # A gap from the first epoch on is of the rows.
    assert found(fit(curve(80, 0.1, 15), curve(80, 0.1, 15) + 0.3, kept=70)) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [({}, "neurons"), ({"l2": 1.0}, "l2"), ({"l2": 0.0, "dropout": 0.9}, "dropout")],
)
def test_a_network_that_learns_nothing(parameters, expected):
    flat = np.full(40, CHANCE)
    (finding,) = findings_of_fit(fit(flat, flat + 0.001, kept=20, **parameters))
    assert (finding.kind, finding.parameter) == ("underfitting", expected)
    assert finding.figure == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "rarest", "figure"), [(100, 2, 2), (100, 5, None), (12, None, 12), (30, None, None)]
)
def test_few_rows_to_watch(rows, rarest, figure):
    healthy = HEALTHY["converged"]
    examined = ExaminedFit(**{**vars(healthy), "held_out_rows": rows, "rarest_held_out": rarest})
    findings = findings_of_fit(examined)
    assert [finding.figure for finding in findings] == ([] if figure is None else [figure])
    assert {finding.kind for finding in findings} <= {"few_validation_rows"}


def summary(mean, deviation):
    return TargetSummary(100, None, None, np.atleast_1d(mean), np.atleast_1d(deviation))


@pytest.mark.parametrize(
    ("mean", "deviation", "is_far"),
    [
        (0, 1, False),
        (3, 2, False),
        (22.5, 9.2, True),
        (0, 300, True),
        (1e6, 1, True),
        (0.5, 0.01, True),
        (5.0, 0.0, False),
        ([0, 0], [1, 2], False),
        ([0, 0], [1, 200], True),
    ],
)
def test_a_target_far_from_unit_scale(mean, deviation, is_far):
    healthy = vars(HEALTHY["converged"]) | {"unscaled_target": summary(mean, deviation)}
    findings = findings_of_fit(ExaminedFit(**healthy))
    assert [finding.kind for finding in findings] == ["target_not_scaled"] * is_far
    assert all("TransformedTargetRegressor" in finding.message for finding in findings)
    healthy["parameters"] = {"scale_target": False}
    assert [f.parameter for f in findings_of_fit(ExaminedFit(**healthy))] == (
        ["scale_target"] * is_far
    )


def test_the_scale_of_the_target_comes_before_what_it_causes():
    loss = np.full(40, 1.5)
    loss[0] = CHANCE
    examined = ExaminedFit(**vars(fit(loss, loss)) | {"unscaled_target": summary(1e4, 1e3)})
    assert found(examined) == ["target_not_scaled", "learning_rate_too_high"]


def test_the_best_epoch_is_the_last_one():
    # Nothing falls by much any more, yet early stopping was never reached.
    slow = curve(200, 0.2, 40)
    kept = vars(fit(slow, slow, stop="epochs", early_stopping=True)) | {"chosen_by": "val_f1"}
    (finding,) = findings_of_fit(ExaminedFit(**kept))
    assert (finding.kind, finding.parameter) == ("too_few_epochs", "epochs")
    assert "val_f1 was still improving at the last epoch" in finding.message
    assert "200 of 200" in finding.message
    assert found(ExaminedFit(**kept | {"kept_epoch": 190})) == []
    assert found(ExaminedFit(**kept | {"stop_reason": "patience"})) == []
    # A refit for the median of the folds ends where they were best.
    assert found(ExaminedFit(**kept | {"epochs_are_given": False})) == []


def test_without_early_stopping_the_last_epoch_may_be_the_best():
    falling = curve(200, 0.2, 60)
    (finding,) = findings_of_fit(fit(falling, falling + 0.01, stop="epochs"))
    assert "val_loss was still improving at the last epoch" in finding.message
    assert found(fit(falling, stop="epochs")) == ["too_few_epochs"]
    rested = curve(200, 0.2, 15)
    assert found(fit(rested, rested, stop="epochs")) == []
    turned = np.maximum(falling, falling[150]) + 0.0005 * np.maximum(np.arange(200) - 150, 0)
    assert found(fit(falling, turned, stop="epochs")) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"learning_rate_init": 0.1, "learning_rate": "constant"}, "learning_rate_init"),
        ({"model": None, "optimizer__learning_rate": 0.1}, "optimizer__learning_rate"),
        ({"model": None}, "optimizer__learning_rate"),
        ({"learning_rate": np.float64(0.1)}, "learning_rate"),
    ],
)
def test_parameters_have_the_names_that_the_estimator_has(parameters, expected):
    loss = np.full(40, 1.5)
    loss[0] = CHANCE
    (finding,) = findings_of_fit(fit(loss, loss, **parameters))
    assert finding.parameter == expected
    assert f"smaller {expected}" in finding.message
    assert ("(now 0.1)" in finding.message) == (parameters.get(expected) is not None)


def test_a_scatter_of_many_digits_is_read_at_once():
    random = np.random.default_rng(0)
    loss = np.array([0.7, *(1e12 * random.exponential(1, 39))])
    (finding,) = findings_of_fit(fit(loss, loss))
    assert "times the loss of knowing nothing" in finding.message
    assert len(finding.message) < 200


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [
        ({"neurons": 32, "l2": 0.0}, "fewer neurons, a larger l2 or dropout"),
        ({"neurons": 32, "dropout": 0.0, "time_steps": 5}, "fewer neurons, a larger dropout"),
        (
            {"filters": 16, "neurons": 32, "augmentation": None},
            "fewer filters, augmentation, a larger l2 or dropout",
        ),
        ({"filters": 16, "augmentation": "flip"}, "fewer filters, a larger l2 or dropout"),
    ],
)
def test_each_kind_of_network_is_made_smaller_by_its_own_parameters(parameters, advice):
    loss, val_loss = curve(150, 0.05, 20), curve(150, 0.3, 10) + np.linspace(0, 0.6, 150)
    messages = [
        finding.message
        for finding in findings_of_fit(fit(loss, val_loss, epochs=150, **parameters))
    ]
    assert any(advice in message for message in messages), messages
