"""What the curves of a training and the results of a search say, in words."""

from skhp.diagnosis.diagnose import diagnose
from skhp.diagnosis.findings import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
