"""A machine without memory for some cohorts."""

from skhp.training.cohort.cohort import Cohort


class NoRoom:
    """Stands in for a machine on which cohorts of more than `most` members run out of memory.

    A cohort with a member that `never_fits` runs out of memory whatever its size. It does so in the
    epoch `after`, or in a later one if it went on from a kept state. `sizes` are those of all
    cohorts in the order of their trainings.
    """

    def __init__(self, monkeypatch, error=None, most=256, after=0, never_fits=lambda task: False):
        self.sizes = []
        run = Cohort.run

        def run_until_full(cohort, observer=None, until=None):
            tasks = cohort._tasks
            self.sizes.append(len(tasks))
            if len(tasks) > most or any(map(never_fits, tasks)):
                if until is not None and until < after:
                    run(cohort, observer, until)
                    return
                if after:
                    run(cohort, observer, after)
                raise error or MemoryError("full")
            run(cohort, observer, until)

        monkeypatch.setattr(Cohort, "run", run_until_full)
