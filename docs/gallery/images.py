"""
Images, with blocks and filters as parameters
=============================================

``KerasCNNClassifier`` takes images, or flat rows with ``image_shape``. The number of blocks of
convolution and pooling is a parameter.
"""

from sklearn.datasets import load_digits

from skhp import GridSearchCV, HistoryDisplay, KerasCNNClassifier

digits = load_digits()
X, y = digits.images[:400] / 16, digits.target[:400]
network = KerasCNNClassifier(filters=8, learning_rate=0.01, epochs=12, random_state=0)
search = GridSearchCV(network, {"hidden_layers": [1, 2]}, cv=2).fit(X, y)
for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"macro F1 {score:.3f} by {parameters}")

# %%
# The training of the winner:
display = HistoryDisplay.from_estimator(search)
