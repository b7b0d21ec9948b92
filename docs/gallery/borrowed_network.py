"""
A borrowed network
==================

A network that has seen the digits 0 to 4 knows what strokes look like. ``base_model`` cuts its head
off, puts on a new one for the classes of ``y``, and with ``freeze=True`` trains the head alone.
"""

from sklearn.datasets import load_digits

from skhp import KerasClassifier, KerasCNNClassifier

digits = load_digits()
X, y = digits.images[..., None] / 16, digits.target
old = y < 5
base = KerasCNNClassifier(
    filters=16, neurons=None, learning_rate=0.01, epochs=12, random_state=0
).fit(X[old][:400], y[old][:400])

borrowed = KerasClassifier(
    base_model=base.model_,
    freeze=True,
    optimizer="adam",
    optimizer__learning_rate=0.01,
    epochs=30,
    batch_size=20,
    random_state=0,
)
learnt, new = slice(0, 100), slice(100, None)
borrowed.fit(X[~old][learnt], y[~old][learnt])
accuracy = borrowed.score(X[~old][new], y[~old][new])
print(f"accuracy on the digits 5 to 9, after 100 rows: {accuracy:.2f}")
