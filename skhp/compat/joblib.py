"""The name by which joblib knows the backend; it is alone here, so that it costs no import."""

BACKEND_NAME = "skhp"
