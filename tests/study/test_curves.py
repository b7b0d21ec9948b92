import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from skhp.comparison.scores import Scores
from skhp.study.files import draw_curves
from skhp.study.repeats import Repeat

SCORES = Scores(1, 1, 1, 1, 1, 1, 1, 1, 1)


def test_every_curve_is_drawn(tmp_path, monkeypatch):
    drawn = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        drawn.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    repeats = [
        Repeat(7, SCORES, {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]}, 2),
        Repeat(8, SCORES, {"loss": [4.0, 3.0], "val_loss": [4.0, 4.5]}, 1),
        Repeat(9, SCORES, {"loss": [5.0]}, 1),
    ]
    assert draw_curves(repeats, tmp_path / "curves.png")
    (axes,) = drawn[0].axes
    *curves, best = axes.get_lines()
    assert sorted(line.get_ydata().tolist() for line in curves) == sorted(
        losses for repeat in repeats for losses in repeat.history.values()
    )
    assert all(line.get_xdata()[0] == 1 for line in curves)
    assert best.get_xdata() == [2, 2]
    strong = [line.get_ydata().tolist() for line in curves if line.get_linewidth() > 1]
    assert sorted(strong) == [[3.0, 2.0, 1.0], [3.0, 2.5, 2.6]]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {
        "training rows",
        "validation rows",
        "best epoch of seed 7",
    }
    assert np.std(imread(tmp_path / "curves.png")) > 0
