"""The study of ``skhp tune --forecast``: a network against simple forecasts of a series."""
