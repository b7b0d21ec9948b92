"""Pictures of trainings, searches and thresholds, in the manner of scikit-learn's displays."""
