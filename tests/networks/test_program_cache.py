import threading
import time

import pytest

from skhp.networks.program_cache import CacheCounts, ProgramCache


def test_a_program_is_built_once_and_found_again():
    cache = ProgramCache(most=2)
    built = []
    for key in "abab":
        assert cache.get(key, lambda key=key: built.append(key) or key.upper()) == key.upper()
    assert built == ["a", "b"]
    assert cache.counts == CacheCounts(built=2, found=2)


def test_the_one_not_used_for_longest_goes_first():
    cache = ProgramCache(most=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: key)
    assert cache.counts == CacheCounts(built=3, found=1)
    cache.get("a", lambda: pytest.fail("a was used last but one"))
    cache.get("b", lambda: "b anew")
    assert cache.counts.built == 4


def test_several_threads_build_a_program_once_and_others_meanwhile():
    cache = ProgramCache()
    entered = threading.Event()
    built = []

    def slowly():
        entered.set()
        time.sleep(0.2)
        built.append("slow")
        return "slow"

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(cache.get("slow", slowly))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    assert cache.get("other", lambda: "other") == "other"
    # Another program did not have to wait for the slow one.
    assert built == []
    for thread in threads:
        thread.join()
    assert built == ["slow"]
    assert found == ["slow"] * 4


def test_a_build_that_fails_is_tried_again():
    cache = ProgramCache()
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: "program") == "program"


def test_nothing_is_left_after_clear():
    cache = ProgramCache()
    cache.get("key", lambda: "old")
    cache.clear()
    assert cache.get("key", lambda: "new") == "new"
