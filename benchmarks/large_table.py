"""How much memory does a search take over a large table?

200,000 x 50 numbers of float32 (40 MB), 6 candidates x 3 folds. Every case runs in a process of its
own. Printed is the resident memory above that after the imports, in MB and in units of the table:
the peak of a first search, which also loads and compiles (some 100 to 200 MB, whatever the table),
the peak of a second search above the level after the first, and what each of them leaves behind.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROWS, COLUMNS = 200_000, 50
CASES = ("plain", "skhp", "early_stopping", "scaler", "float64", "on_disk", "few_rows")


def main() -> None:
    """Run one case, or every case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measured(arguments.case)))
        return
    for case in CASES:
        done = subprocess.run(  # noqa: S603
            [sys.executable, __file__, "--case", case],
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        size = found["table"]
        print(
            f"{case:15} first search {found['first_peak']:4.0f} MB "
            f"({found['first_peak'] / size:.1f} x), stays {found['first_stays']:4.0f} MB; "
            f"second search {found['second_peak']:4.0f} MB ({found['second_peak'] / size:.1f} x), "
            f"stays {found['second_stays']:4.0f} MB; {found['seconds']:.1f} s of CPU time"
        )


def measured(case: str) -> dict[str, float]:
    """The memory of two searches, one after the other."""
    import skhp

    # Loads TensorFlow.
    assert skhp.KerasMLPClassifier
    memory = Memory()
    imported = memory.settled()
    size = search(case)
    first_peak, after_first = memory.peak - imported, memory.settled()
    memory.peak = after_first
    search(case)
    after_second = memory.settled()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "table": size,
        "first_peak": first_peak,
        "first_stays": after_first - imported,
        "second_peak": memory.peak - after_first,
        "second_stays": after_second - after_first,
        "seconds": used.ru_utime + used.ru_stime,
    }


def search(case: str) -> float:
    """Search, and return the size of the table in MB."""
    import numpy as np
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import skhp

    generator = np.random.default_rng(0)
    rows = ROWS // 100 if case == "few_rows" else ROWS
    X: Any = generator.standard_normal((rows, COLUMNS), dtype=np.float32)
    if case == "float64":
        X = X.astype(np.float64)
    y = (X[:, 0] > 0).astype(int)
    size = X.nbytes / 1e6
    network = skhp.KerasMLPClassifier(
        epochs=2, batch_size=1000, early_stopping=case == "early_stopping", random_state=0
    )
    grid = {"neurons": [8, 16], "learning_rate": [0.001, 0.003, 0.01]}
    with tempfile.TemporaryDirectory() as folder:
        if case == "on_disk":
            path = Path(folder) / "table.npy"
            np.save(path, X)
            del X
            X = np.load(path, mmap_mode="r")
        if case == "skhp":
            skhp.GridSearchCV(network, grid, cv=3, early_stopping=False).fit(X, y)
        elif case == "scaler":
            pipeline = make_pipeline(StandardScaler(), network)
            grid = {f"kerasmlpclassifier__{name}": values for name, values in grid.items()}
            with skhp.population():
                GridSearchCV(pipeline, grid, cv=3).fit(X, y)
        else:
            with skhp.population():
                GridSearchCV(network, grid, cv=3).fit(X, y)
    return size


class Memory:
    """Watches the resident memory of this process, in MB."""

    def __init__(self) -> None:
        self.peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def settled(self) -> float:
        """The memory now, without what the C library only keeps for later."""
        import ctypes

        gc.collect()
        getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)
        return self.now()

    def now(self) -> float:
        """The memory now."""
        _, resident, *_ = map(int, Path("/proc/self/statm").read_text().split())
        return resident * os.sysconf("SC_PAGESIZE") / 1e6

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.005)


if __name__ == "__main__":
    main()
