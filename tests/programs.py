"""Programs that tests start in a process of their own, to interrupt or kill them."""

import signal
import subprocess


def start_program(command, **keywords):
    """Start a program that obeys Ctrl-C, whatever the tests run under.

    A job in the background of a shell ignores Ctrl-C, and hands that on to what it starts:
    ``nohup make test &`` would wait for ever for a program to end.
    """
    return subprocess.Popen(command, preexec_fn=_obey_ctrl_c, **keywords)


def run_program(command, *, timeout, **keywords):
    """Run such a program to its end; what it printed and its exit code."""
    return subprocess.run(
        command,
        preexec_fn=_obey_ctrl_c,
        timeout=timeout,
        capture_output=True,
        text=True,
        **keywords,
    )


def _obey_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
