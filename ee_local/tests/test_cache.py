"""The cache in which nothing is computed twice."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ee_local.cache import OnceCache
from hypothesis import given, settings
from hypothesis import strategies as st


def test_many_threads_wait_for_one():
    cache, calls = OnceCache(10), []

    def compute():
        calls.append(1)
        time.sleep(0.05)
        return object()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: cache.get("key", compute), range(16)))
    assert len(calls) == 1 and len(set(map(id, found))) == 1


def test_an_error_goes_to_all_who_wait_and_is_forgotten():
    cache, started, go = OnceCache(10), threading.Event(), threading.Event()

    def fails():
        started.set()
        go.wait(10)
        raise ValueError("no")

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(cache.get, "key", fails)]
        assert started.wait(10)
        asked += [pool.submit(cache.get, "key", fails) for _ in range(2)]
        time.sleep(0.05)
        go.set()
        for one in asked:
            with pytest.raises(ValueError, match="no"):
                one.result(10)
    assert len(cache) == 0 and cache.get("key", lambda: 3) == 3


def test_the_end_of_the_stack_leaves_nobody_waiting():
    cache = OnceCache(1000)

    def nested(depth):
        return cache.get(depth, lambda: nested(depth + 1))

    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(600)
        with pytest.raises(RecursionError):
            nested(0)
    finally:
        sys.setrecursionlimit(limit)
    assert len(cache) == 0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(cache.get, 0, lambda: "there").result(10) == "there"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6)), max_size=60), st.integers(0, 20))
def test_sizes_never_add_up_to_more_than_the_limit(asked, limit):
    cache = OnceCache(limit, lambda value: value[1])
    for key, size in asked:
        value = cache.get(key, lambda key=key, size=size: (key, size))
        assert value[0] == key
        assert sum(s.size for s in cache._slots.values()) == cache._held <= limit
    cache.clear()
    assert len(cache) == cache._held == 0


def test_the_least_recently_used_leave_first():
    cache = OnceCache(2)
    for key in "abac":  # a is used again before c comes
        cache.get(key, lambda key=key: key)
    calls = []
    for key in "ab":
        cache.get(key, lambda key=key: calls.append(key))
    assert calls == ["b"]
