"""The study behind ``skhp tune``: a tuned baseline, a tuned network, repeats of the winner."""
