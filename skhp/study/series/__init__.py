"""The study behind ``skhp tune --forecast``: a network against simple forecasts of a series."""
