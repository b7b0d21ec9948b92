"""Pictures of trainings, searches and thresholds, like scikit-learn's displays."""
