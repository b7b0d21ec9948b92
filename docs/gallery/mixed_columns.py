"""
Numbers, categories and missing cells in one pipeline
=====================================================

A table of patients has numbers, words and empty cells. ``ColumnTransformer`` prepares them as for
any estimator of scikit-learn, and a search reaches the parameters of all steps. Each fold learns
its scaling and its categories from its own training rows.
"""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skhp import GridSearchCV, KerasMLPClassifier

random = np.random.default_rng(0)
table = pd.DataFrame(
    {
        "age": random.normal(60, 10, 300).round(),
        "pressure": random.normal(130, 15, 300).round(),
        "ward": random.choice(["north", "south", "east"], 300),
    }
)
risk = (table["age"] - 60) / 10 + (table["ward"] == "north") + random.normal(0, 0.5, 300)
died = np.where(risk > 1.6, "yes", "no")
table.loc[random.choice(300, 30, replace=False), "pressure"] = np.nan

columns = ColumnTransformer(
    [
        (
            "numbers",
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["ward"]),
    ]
)
network = make_pipeline(columns, KerasMLPClassifier(epochs=40, learning_rate=0.01, random_state=0))
grid = {
    "columntransformer__numbers__simpleimputer__strategy": ["mean", "median"],
    "kerasmlpclassifier__neurons": [3, 10],
}
search = GridSearchCV(network, grid, cv=3).fit(table, died)
print(f"F1 of 'yes', one row in {len(died) / np.sum(died == 'yes'):.0f}: {search.best_score_:.2f}")
print(search.best_params_)
print(search.predict(table.head(3)))
