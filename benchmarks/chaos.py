"""Does a search with a journal lose anything if it is killed, whenever that happens?

A search of networks runs in a process of its own, which SIGKILL ends at random moments of its whole
life: imports, planning, tracing and training, scoring, refit, writing. The same program is started
again, and perhaps killed again, until it ends. Then its `cv_results_` and the probabilities of the
refitted network have to equal those of an undisturbed search to the bit, each fit has to be in the
journal once, and no fit that was in the journal when a process was killed may be trained or scored
later. The exit code is 1 if anything is amiss.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

STAGES = ("imports", "training", "scoring", "refit", "writing")
# Within the stage "training", planning, tracing and compilation take the most time.
N_FITS, N_FOLDS = 36, 3
SECONDS_A_SCORE = 0.03
# The most kills of one search, before it is left to end.
MOST_KILLS = 5

JOURNAL, SCORED, RESULTS = "journal", "scored.txt", "results.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the search as a child, or kill children and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100, help="number of kills (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default: 0)")
    parser.add_argument("--search", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.search is not None:
        search_in(given.search)
        return 0
    return chaos(given.n, random.Random(given.seed))  # noqa: S311


# ---------------------------------------------------------------- the search


def search_in(folder: Path) -> None:
    """Search with a journal in a folder, tell each stage, and write the results at the end."""
    tell("imports")
    import numpy as np

    from skhp import GridSearchCV, KerasMLPClassifier
    from skhp.search.observer import SearchObserver

    class Telling(SearchObserver):
        def round_ends(self, results: Any) -> None:
            tell("refit")

    X, y = table()
    search = GridSearchCV(
        KerasMLPClassifier(epochs=30, patience=8, random_state=0),
        {"learning_rate": [0.1, 0.03, 0.01], "batch_size": [10, 20], "dropout": [0.0, 0.2]},
        cv=N_FOLDS,
        scoring=Scorer(str(folder / SCORED)),
        journal=folder / JOURNAL,
    ).observed_by(Telling())
    tell("training")
    search.fit(X, y)
    tell("writing")
    results = {
        name: np.asarray(column, float).tolist()
        for name, column in search.cv_results_.items()
        if "time" not in name and name not in ("params", "stop_reason")
    }
    results["stop_reason"] = list(search.cv_results_["stop_reason"])
    results["probabilities"] = search.best_estimator_.predict_proba(X).tolist()
    report = getattr(search, "population_report_", None)
    aside = folder / f"{RESULTS}.part"
    aside.write_text(
        json.dumps({"results": results, "trained": 0 if report is None else report.n_together})
    )
    aside.replace(folder / RESULTS)
    tell("done")


class Scorer:
    """The accuracy, noted in a file with the process, the candidate and the fold."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score a fit and note it."""
        time.sleep(SECONDS_A_SCORE)
        known = {name: getattr(estimator, name) for name in CANDIDATE}
        with open(self.path, "a") as file:
            # One call of the system, which a kill cannot cut.
            file.write(f"{json.dumps([os.getpid(), known, float(X[0, 0])])}\n")
        tell("scoring")
        return float((estimator.predict(X) == y).mean())


def table() -> tuple[Any, Any]:
    """The rows and the classes."""
    import numpy as np

    rows = np.random.default_rng(0)
    X = rows.normal(size=(240, 5)).astype("float32")
    return X, (X[:, 0] + rows.normal(size=240) / 2 > 0.5).astype(int)


CANDIDATE = ("batch_size", "dropout", "learning_rate")


def tell(stage: str) -> None:
    """Tell the parent that a stage begins."""
    print(stage, flush=True)


# ---------------------------------------------------------------- the kills


class Moment(NamedTuple):
    """When to kill: in a stage, after a share of the time that it takes if undisturbed."""

    stage: str
    share: float


def random_moments(n: int, randomness: random.Random) -> Iterator[Moment]:
    """Moments of which each stage has as many as any other, however short it is.

    Later stages come later, because a search that has scored all fits does not score again.
    """
    for stage in sorted(randomness.choices(STAGES, k=n), key=STAGES.index):
        yield Moment(stage, randomness.random())


@dataclass
class Run:
    """A process that searched: the stage it was in at its end, and whether it was killed."""

    stage: str
    killed: bool
    seconds: dict[str, float]
    complaint: str


def chaos(n: int, randomness: random.Random) -> int:
    """Kill runs of searches, print a line for each kill, and return an exit code."""
    n_kills = n_searches = n_failed = 0
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        undisturbed.mkdir()
        first = run(undisturbed, None, {})
        if first.stage != "done":
            print(f"the undisturbed search failed:\n{first.complaint}")
            return 1
        print("undisturbed:", ", ".join(f"{name} {first.seconds[name]:.1f} s" for name in STAGES))
        expected = json.loads((undisturbed / RESULTS).read_text())["results"]
        while n_kills < n:
            n_searches += 1
            place = Path(folder) / f"search-{n_searches}"
            place.mkdir()
            searched = KilledSearch(place, first.seconds, expected)
            most = min(randomness.randint(1, MOST_KILLS), n - n_kills)
            searched.run_to_the_end(random_moments(most, randomness))
            n_kills += searched.n_kills
            n_failed += bool(searched.faults)
            for fault in searched.faults:
                print(f"FAILED: {fault}", flush=True)
    whole = n_searches - n_failed
    print(f"{n_kills} kills of {n_searches} searches: {whole} ended as if undisturbed")
    return min(n_failed, 1)


class KilledSearch:
    """One search, killed and started again until it ends; `faults` are what was amiss."""

    def __init__(self, place: Path, seconds: dict[str, float], expected: Any) -> None:
        self.n_kills = 0
        self.faults: list[str] = []
        self._place, self._seconds, self._expected = place, seconds, expected
        self._finished: set[str] = set()
        self._n_scored = 0

    def run_to_the_end(self, moments: Iterable[Moment]) -> None:
        """Kill a run at each moment, and leave the last one to end."""
        next_moments = iter(moments)
        while True:
            known = self._finished
            n_left = N_FITS - len(known)
            one = run(self._place, next(next_moments, None), self._seconds, n_left)
            self._look(one)
            if not one.killed:
                break
            self.n_kills += 1
            n_finished = f"{len(self._finished)} of {N_FITS} fits finished"
            print(f"killed during {one.stage}, {n_finished}", flush=True)
        self._compare(n_left)
        print(f"ended with {self._n_scored} scores of {N_FITS} fits", flush=True)

    def _look(self, one: Run) -> None:
        """Check what a run has left."""
        self._check(one.killed or one.stage == "done", f"a run failed: {one.complaint}")
        scored = fits_scored(self._place)
        twice = self._finished.intersection(scored[self._n_scored :])
        self._check(not twice, f"{len(twice)} finished fits were trained and scored again")
        self._n_scored, known = len(scored), self._finished
        try:
            self._finished = fits_in_journal(self._place)
        except Exception as error:  # Whatever it is, the journal cannot be read.
            self._check(False, f"the journal cannot be read: {error!r}")
        self._check(known <= self._finished, "the journal has lost fits")

    def _compare(self, missing: int) -> None:
        """Check what the last run has found; before it, some fits were missing."""
        path = self._place / RESULTS
        found = json.loads(path.read_text()) if path.exists() else {}
        self._check(found.get("results") == self._expected, "the results are not those expected")
        n_finished = len(self._finished)
        self._check(n_finished == N_FITS, f"the journal has {n_finished} fits")
        trained = found.get("trained")
        self._check(trained == missing, f"{trained} fits were trained, and {missing} were missing")
        names = {file.name for file in self._place.iterdir()} - {f"{RESULTS}.part"}
        self._check(names == {JOURNAL, SCORED, RESULTS}, f"files are left: {sorted(names)}")

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            self.faults.append(what)


def run(place: Path, moment: Moment | None, seconds: dict[str, float], n_left: int = N_FITS) -> Run:
    """Run the search in a process, and kill it at a moment unless it has ended before."""
    # A share of the scores, of which each ends soon after its marker.
    markers = 1 + int(moment.share * n_left) if moment and moment.stage == "scoring" else 1
    command = [sys.executable, "-m", "benchmarks.chaos", "--search", str(place)]
    with (place.parent / "stderr").open("w+") as stderr:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        assert process.stdout is not None
        began, stage, times = time.monotonic(), "start", {}
        for line in process.stdout:
            if line.strip() != stage:
                stage = line.strip()
                times[stage] = time.monotonic() - began
            if moment is None or stage != moment.stage:
                continue
            markers -= 1
            if not markers:
                length = SECONDS_A_SCORE if stage == "scoring" else seconds[stage]
                time.sleep(moment.share * length)
                process.kill()
                break
        stage = ([stage, *process.stdout.read().split()])[-1]
        process.stdout.close()
        code = process.wait()
        stderr.seek(0)
        starts = [*(times.get(name, 0.0) for name in STAGES), times.get("done", 0.0)]
        lengths = [after - before for before, after in itertools.pairwise(starts)]
        return Run(
            stage,
            killed=code < 0,
            seconds=dict(zip(STAGES, lengths, strict=True)),
            complaint="" if code <= 0 else stderr.read(),
        )


def fits_scored(place: Path) -> list[str]:
    """The fits in the order in which they were scored, by candidate and first row of the fold."""
    path = place / SCORED
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.dumps(json.loads(line)[1:]) for line in lines]


def fits_in_journal(place: Path) -> set[str]:
    """The fits in a journal, in the same form."""
    from skhp.search.journal.reading import read_journal_file

    if not (place / JOURNAL).exists():
        return set()
    fits = set()
    for key in read_journal_file(place / JOURNAL).finished:
        parameters = json.loads(key.parameters)
        known = {name: parameters[name] for name in CANDIDATE}
        fits.add(json.dumps([known, first_rows()[key.fold]]))
    return fits


@functools.cache
def first_rows() -> list[float]:
    """The first number of the first test row of each fold."""
    from sklearn.model_selection import StratifiedKFold

    X, y = table()
    return [float(X[test[0], 0]) for _, test in StratifiedKFold(N_FOLDS).split(X, y)]


if __name__ == "__main__":
    raise SystemExit(main())
