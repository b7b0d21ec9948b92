"""The settings of a candidate in words, whichever they are."""

import pytest
from sklearn.preprocessing import StandardScaler

from skhp.study.winner import settings_in_words
from skhp.tables.preparation import PiecewiseLinear, PowerScaler

SCALING = "preparation__numbers__scaling"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"network__batch_size": 20, "network__learning_rate": 0.01234},
            "learning rate 0.0123, batch size 20",
        ),
        (
            {
                "network__hidden_layers": 2,
                "network__neurons": 64,
                "network__dropout": 0.2,
                "network__l2": 0.0,
                "network__loss": "soft_f1",
                "network__class_weight": "balanced",
                "network__monitor": "val_average_precision",
                "network__patience": 40,
                SCALING: StandardScaler(),
            },
            "2 hidden layers of 64 neurons, dropout 0.2, no l2, loss soft f1, balanced class "
            "weights, stopped by the average precision of held-out rows with a patience of 40 "
            "epochs, numbers scaled by StandardScaler",
        ),
        (
            {
                "network__hidden_layers": 0,
                "network__neurons": 64,
                "network__dropout": 0.2,
                "network__class_weight": None,
                "network__early_stopping": False,
                "network__lr_schedule": "cosine",
                SCALING: PowerScaler(),
            },
            "no hidden layer, no class weights, trained on all rows without early stopping, a "
            "cosine schedule of the learning rate, numbers scaled by a power transformation",
        ),
        (
            {
                "network__hidden_layers": 1,
                "network__class_weight": {"a": 2.0},
                "network__activation": "tanh",
                SCALING: PiecewiseLinear(),
            },
            "1 hidden layer, class weights {'a': 2}, numbers encoded piecewise linearly, "
            "activation = 'tanh'",
        ),
    ],
)
def test_the_settings_of_a_perceptron(parameters, words):
    assert settings_in_words(parameters) == words


def test_blocks_of_images_come_last():
    parameters = {"network__hidden_layers": 1, "network__batch_size": 20}
    assert settings_in_words(parameters, of_images=True) == "batch size 20, 1 block of convolution"
