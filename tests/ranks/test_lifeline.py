"""A rank that is lost is named, to the main process and to the others, and who hangs for it is ended."""

from __future__ import annotations

import os
import threading
import time

import pytest

from crucible import lifeline
from crucible.errors import UserError
from crucible.lifeline import LostRank, main_calls, main_end, other_end


@pytest.fixture
def ends():
    """The ends of a main process and two others."""
    listener, call = main_calls("127.0.0.1")
    others: dict[int, lifeline.Lifeline] = {}
    threads = [
        threading.Thread(target=lambda rank=rank: others.update({rank: other_end(call, rank, "process 1 on m")}))
        for rank in (1, 2)
    ]
    for thread in threads:
        thread.start()
    main = main_end(listener, 3, call[2])
    for thread in threads:
        thread.join()
    yield [main, others[1], others[2]]
    for end in (main, *others.values()):
        end.close()


def killed(end):
    """As the system does to a process: its connections end without a word."""
    end._over.set()
    end._thread.join()
    for connection in end.connections.values():
        connection.shutdown(2)
        connection.close()


def wait_for(condition):
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_death_of_a_rank_is_known_to_all(ends):
    killed(ends[1])
    wait_for(lambda: ends[0].lost and ends[2].lost)
    assert ends[0].lost.startswith(f"rank 1 died (process {os.getpid()} on ")
    assert ends[2].lost == ends[0].lost
    assert (ends[0].told, ends[2].told) == (False, True)  # the main process says it


def test_the_death_of_the_main_process_is_known_to_all(ends):
    killed(ends[0])
    wait_for(lambda: ends[1].lost and ends[2].lost)
    assert ends[1].lost.startswith("rank 0, the main process, died (process 1 on m)")
    assert not ends[1].told


def test_the_error_of_a_rank_is_told(ends):
    ends[2].close(ValueError("no\nnumber"))
    wait_for(lambda: ends[0].lost and ends[1].lost)
    assert ends[0].lost == ends[1].lost == "rank 2 stopped: ValueError: no number"


def test_a_regular_end_is_no_loss(ends):
    ends[1].close()
    ends[2].close()
    time.sleep(0.05)
    assert ends[0].lost is None
    with ends[0].holding():
        pass


def test_an_error_that_comes_of_a_lost_rank_names_it(ends):
    killed(ends[1])
    with pytest.raises(LostRank, match=r"rank 1 died .*; the same command goes on"), ends[0].holding():
        raise RuntimeError("connection closed by peer")


@pytest.mark.parametrize("error", [UserError("mine"), ValueError("mine"), RuntimeError("mine")], ids=repr)
def test_other_errors_stay_what_they_are(ends, error, monkeypatch):
    monkeypatch.setattr(lifeline, "NOTICE_S", 0.05)
    with pytest.raises(type(error), match="mine"), ends[0].holding():
        raise error


def test_who_waits_for_a_lost_rank_is_ended(ends, monkeypatch, capsys):
    monkeypatch.setattr(lifeline, "GRACE_S", 0.1)
    codes, last = [], []

    monkeypatch.setattr(lifeline.os, "_exit", codes.append)
    with ends[0].holding(last.append):
        killed(ends[1])
        wait_for(lambda: last and codes)
    assert set(codes) == {lifeline.LOST}
    assert set(last) == {ends[0].lost}
    assert f"error: {ends[0].lost}" in capsys.readouterr().err


def test_a_stranger_on_the_line_is_not_taken_for_a_rank():
    import socket

    listener, call = main_calls("127.0.0.1")
    found = []
    waiting = threading.Thread(target=lambda: found.append(main_end(listener, 2, call[2])))
    waiting.start()
    with socket.create_connection(call[:2]) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\n")
        other = other_end(call, 1, "main")
        waiting.join(5)
    assert list(found[0].names) == [1]
    for end in (other, found[0]):
        end.close()
