"""What all our own networks share as scikit-learn estimators, whatever their layers are."""
