"""Runs ``skhp tune`` with a study that takes no time, and sends it signals at chosen moments.

Each command is a fork of one process that has imported what it needs, without TensorFlow. The
scenarios come as JSON on standard input, and what became of each goes to standard output.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

if __name__ == "__main__":
    # The process is the command, so that its signals are those of the command.
    sys.argv = ["skhp", "tune"]

import skhp.cli.inputs
import skhp.study.files
import skhp.study.study
import skhp.study.text
from skhp.cli import main

ARGUMENTS = ["tune", "t.csv", "--out", "out"]
SECONDS = 60


def moments(tell, scenario):
    """Replace what a command does by what tells the moment, and then waits to be interrupted."""

    def wait():
        tell()
        time.sleep(SECONDS)

    def train(*_, **__):
        if scenario["stage"] == "training with a thread":
            threading.Thread(target=threading.Event().wait).start()
            wait()
        if scenario["stage"] == "training that is slow to end":
            try:
                wait()
            finally:
                wait()
        if scenario["stage"] == "training":
            wait()
        search = SimpleNamespace(cv_results_={"mean_test_score": [0.5]})
        return SimpleNamespace(pipeline={}, search=search, repeats=None)

    def draw(_, path):
        path.write_text("curves")
        if scenario["stage"].startswith("writing"):
            wait()
        return False

    def remove(path, **options):
        skhp.study.files.shutil.rmtree = rmtree
        wait()

    def move(aside, directory):
        if scenario["stage"] == "moving":
            tell()
            # The signal comes while the files are moved.
            time.sleep(0.3)
        moved(aside, directory)

    moved, rmtree = skhp.study.files._move, skhp.study.files.shutil.rmtree
    skhp.cli.inputs._load_tensorflow = lambda: None
    skhp.study.study.run_study = train
    skhp.study.text.render_report = lambda _: "report\n"
    skhp.study.files.draw_curves = draw
    skhp.study.files._move = move
    if scenario["stage"] == "writing, and slow to remove":
        skhp.study.files.shutil.rmtree = remove


def outcome(scenario, folder):
    """Run one command, send it its signals, and return its exit code, its words and its files."""
    folder.mkdir()
    os.chdir(folder)
    rows = [f"{n * 7 % 24}.5,{n % 3 // 2}" for n in range(24)]
    Path("t.csv").write_text("\n".join(["age,sick", *rows, ""]))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with open("../stderr", "w") as stderr, open("../stdout", "w") as stdout:
            os.dup2(stderr.fileno(), 2)
            # The command has kept a copy from before the fork.
            os.dup2(stderr.fileno(), skhp.shared.interruption._command.standard_error)
            os.dup2(stdout.fileno(), 1)
        moments(lambda: os.write(writing, b"."), scenario)
        raise SystemExit(main(ARGUMENTS))
    os.close(writing)
    for name in scenario["signals"]:
        assert os.read(reading, 1) == b".", Path("../stderr").read_text()
        os.kill(child, getattr(signal, name))
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "said": Path("../stderr").read_text().splitlines(),
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*")),
    }


if __name__ == "__main__":
    base = Path.cwd()
    print(
        json.dumps(
            [outcome(one, base / str(number)) for number, one in enumerate(json.load(sys.stdin))]
        )
    )
