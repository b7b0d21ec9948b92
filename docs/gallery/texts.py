"""
Texts, with the order of the words
==================================

``TokenSequencer`` turns texts into numbers of words, and a recurrent network reads them in order.
"not good" is not "good", which a model of counted words hardly learns.
"""

import numpy as np
from sklearn.pipeline import make_pipeline

from skhp import KerasRNNClassifier
from skhp.sequences import TokenSequencer

random = np.random.default_rng(0)
words = {"good": ["good", "clever", "moving"], "bad": ["dull", "weak", "clumsy"]}
contrary = {"good": "bad", "bad": "good"}


def sentence(opinion):
    """A sentence with this opinion, often by the negation of the contrary."""
    turned = random.random() < 0.4
    word = random.choice(words[contrary[opinion] if turned else opinion])
    return f"the plot was {'not ' if turned else ''}{random.choice(['', 'really '])}{word}"


y = random.choice(["good", "bad"], 300)
X = [sentence(opinion) for opinion in y]
network = make_pipeline(
    TokenSequencer(max_tokens=20, length=6),
    KerasRNNClassifier(
        neurons=16,
        embedding_dim=8,
        vocabulary_size=20,
        learning_rate=0.02,
        epochs=60,
        patience=30,
        batch_size=50,
        random_state=0,
    ),
)
network.fit(X[:200], y[:200])
print(f"accuracy on new texts: {network.score(X[200:], y[200:]):.2f}")
new = ["the plot was not really dull", "the plot was not good"]
print(dict(zip(new, network.predict(new).tolist(), strict=True)))
