"""A Dask cluster of this machine, started as its users start one."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import distributed

ROOT = Path(__file__).parents[3]
DASK = shutil.which("dask", path=sysconfig.get_path("scripts")) or "dask"


class Cluster:
    """A scheduler and workers, each started by the command `dask`."""

    def __init__(self, folder, workers):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self._folder = folder
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", str(port))
        self.workers = [
            self._started("worker", self.address, "--nthreads", "2", "--name", str(number))
            for number in range(workers)
        ]

    def _started(self, *command):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        with open(self._folder / f"{command[0]}-{time.monotonic_ns()}.log", "w") as log:
            return subprocess.Popen(
                [sys.executable, DASK, *command, "--no-dashboard"],
                cwd=self._folder, env=environment, stdout=log, stderr=log,
            )  # fmt: skip

    def client(self):
        client = distributed.Client(self.address, timeout=300)
        client.wait_for_workers(len(self.workers), timeout=300)
        return client

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            process.wait()
