"""Print the lowest version of each requirement that setup.cfg allows, as constraints for pip."""

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"

# Requirements of requirements: of the time of these lowest versions, whose calls newer ones
# answer with deprecation warnings, which are errors in the tests.
OF_THAT_TIME = (
    "scipy < 1.16  # scikit-learn 1.7 passes `iprint` to scipy.optimize",
    "pyparsing < 3.3  # matplotlib 3.8 calls `parseString`",
)


def lowest_versions(setup):
    """Each requirement of the package and of its extras for users, at its lowest version."""
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read_string(setup)
    listed = [configuration["options"]["install_requires"]]
    extras = configuration["options.extras_require"]
    listed += [extras[extra] for extra in ("plot", "tpe", "images")]
    requirements = [line for text in listed for line in text.splitlines() if line.strip()]
    for requirement in requirements:
        if not re.fullmatch(r"[\w-]+ >= [\d.]+", requirement):
            raise ValueError(
                f"{requirement!r} has no single lower bound: write it as 'name >= version'."
            )
    return [requirement.replace(">=", "==") for requirement in requirements]


if __name__ == "__main__":
    print("\n".join([*lowest_versions(SETUP.read_text(encoding="utf-8")), *OF_THAT_TIME]))
