"""The storm (see the package `storm`), and whether it would notice what it looks for.

STORM_SECONDS says how long it blows, 60 s unless set; STORM_SEED repeats what a failure printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import scheduler
from storm import book, watchdog
from support.interpreter import HAS_GIL
from support.places import PYTHON_TESTS
from support.scheduling import started
from support.waiting import TIMEOUT

SECONDS = float(os.environ.get("STORM_SECONDS", "60"))
SEED = os.environ.get("STORM_SEED")


def run_storm(*arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """In an interpreter of its own, which ends by itself when it hangs."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "storm", *arguments],
        cwd=PYTHON_TESTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.heavy
@pytest.mark.timeout(SECONDS + 4 * TIMEOUT)
@pytest.mark.spec("H-01", "H-02", "H-05", "H-08", "C-53", "N-01", "N-02", "N-04")
def test_a_storm_loses_and_doubles_nothing():
    seed = [] if SEED is None else ["--seed", SEED]
    done = run_storm("--seconds", str(SECONDS), *seed, timeout=SECONDS + 3 * TIMEOUT)
    report = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    print(report)  # pytest shows it when the test fails, and on request: the seed is in there
    assert done.returncode == 0, report
    assert done.stderr == ""
    assert "to another thread" in done.stdout
    for name in ("timed out", "select", "sleep", "scope", "result", "group", "put", "get", "visit"):
        assert f" {name}\n" in done.stdout


# ---- would it notice? --------------------------------------------------------------------------


@pytest.fixture
def ledgers():
    return [book.Ledger("thread 0"), book.Ledger("thread 1")]


def sent(ledger: book.Ledger, outcome: book.Outcome = book.Outcome.SENT) -> book.Token:
    token = ledger.issue(channel=1)
    token.entry.outcome = outcome
    return token


def test_the_books_are_content_with_what_is_right(ledgers):
    here, there = ledgers
    assert there.receive(sent(here), 1) is None
    assert there.receive(sent(here, book.Outcome.INTERRUPTED), 1) is None
    sent(here, book.Outcome.INTERRUPTED)
    sent(here, book.Outcome.REFUSED)
    waiting = sent(here)
    assert book.check_tokens(ledgers, {id(waiting.entry)}) == []


def test_the_books_notice_a_token_received_twice(ledgers):
    token = sent(ledgers[0])
    for ledger in ledgers:
        ledger.receive(token, 1)
    assert "received by ['thread 0', 'thread 1']" in book.check_tokens(ledgers, set())[0]


def test_the_books_notice_a_token_received_and_still_queued(ledgers):
    token = sent(ledgers[0])
    ledgers[1].receive(token, 1)
    assert "queued: True" in book.check_tokens(ledgers, {id(token.entry)})[0]


def test_the_books_notice_a_token_that_was_refused_and_received(ledgers):
    ledgers[1].receive(sent(ledgers[0], book.Outcome.REFUSED), 1)
    assert "refused" in book.check_tokens(ledgers, set())[0]


def test_the_books_notice_a_sender_that_never_came_back(ledgers):
    sent(ledgers[0], book.Outcome.PENDING)
    assert "never came back" in book.check_tokens(ledgers, set())[0]


def test_the_books_notice_more_lost_tokens_than_interrupted_receives(ledgers):
    sent(ledgers[0])
    sent(ledgers[0])
    ledgers[1].interrupted += [1, 2, 2]  # what happened at another channel is no excuse
    assert "2 tokens sent on channel 1 were lost; 1 " in book.check_tokens(ledgers, set())[0]
    ledgers[1].interrupted.append(1)
    assert book.check_tokens(ledgers, set()) == []


def test_the_books_notice_what_came_out_of_the_wrong_place(ledgers):
    assert "came out of channel 2" in ledgers[1].receive(sent(ledgers[0]), 2)
    assert "'bogus' came out" in ledgers[1].receive("bogus", 1)


def chosen(ledger: book.Ledger, index: int, value: object = None) -> tuple[str | None, book.Token]:
    """What is wrong with a select between sending on 1 or 2 and receiving from 3, and what it offered."""
    channel = scheduler.channel()
    cases = [book.Case(channel, 1, True), book.Case(channel, 2, True), book.Case(channel, 3)]
    offered: list[book.Token] = []

    def select(*things: Any) -> tuple[int, object]:
        assert things[0].value is things[1].value and things[2] is channel
        offered.append(things[0].value)
        return index, value

    return ledger.choose(cases, select), offered[0]


def test_the_books_notice_two_cases_of_a_select_that_were_both_done(ledgers):
    problem, token = chosen(ledgers[0], 1)
    assert problem is None
    assert ledgers[1].receive(token, 2) is None
    assert book.check_tokens(ledgers, set()) == []
    assert ledgers[1].receive(token, 1) is None
    assert "received by ['thread 1', 'thread 1']" in book.check_tokens(ledgers, set())[0]


def test_the_books_notice_a_select_that_received_and_sent_as_well(ledgers):
    problem, token = chosen(ledgers[0], 2, ledgers[1].issue(3, book.Outcome.SENT))
    assert problem is None
    assert book.check_tokens(ledgers, set()) == []
    ledgers[1].receive(token, 1)
    assert "refused" in book.check_tokens(ledgers, set())[0]


def test_the_books_notice_what_a_select_lost_and_what_came_from_nowhere(ledgers):
    problem, token = chosen(ledgers[0], 1)
    assert "1 tokens sent on channel 2 were lost" in book.check_tokens(ledgers, set())[0]
    assert "came out of channel 3" in chosen(ledgers[0], 2, token)[0]
    assert "came out of Case" in chosen(ledgers[0], 0, "something")[0]


@pytest.mark.parametrize("passes_on", [False, True])
def test_the_books_excuse_no_loss_where_a_killed_receiver_passes_on(ledgers, passes_on):
    def die() -> None:
        raise scheduler.TaskletExit

    sent(ledgers[0])
    with pytest.raises(scheduler.TaskletExit):
        ledgers[1].take(1, die, passes_on=passes_on)
    assert len(book.check_tokens(ledgers, set())) == passes_on


def test_the_books_notice_losses_where_nobody_is_killed(ledgers):
    ledgers[0].issue(1, book.Outcome.UNSEEN)
    sent(ledgers[0], book.Outcome.INTERRUPTED)
    ledgers[1].interrupted.append(1)
    assert len(book.check_undisturbed(ledgers, set())) == 3


def test_the_books_notice_a_tasklet_that_is_left_and_a_token_that_is_held(ledgers):
    token = sent(ledgers[0])
    task = started(scheduler.schedule_remove)
    life = book.Life("somebody", task)
    life.started = True
    ledgers[0].lives.append(life)
    assert [text[:14] for text in book.check_lives(ledgers)] == ["somebody is al", "somebody has b"]
    task.kill()
    life.ended = True
    assert book.check_lives(ledgers) == []
    assert len(book.check_forgotten(ledgers)) == 1
    del token
    assert book.check_forgotten(ledgers) == []


HANGING = """
    import sys, threading
    sys.path.insert(0, sys.argv[1])
    import scheduler
    from storm.watchdog import Watchdog

    def wait_for_nobody(channel):
        channel.receive()

    task = scheduler.tasklet(wait_for_nobody)(scheduler.channel())
    scheduler.run()
    dog = Watchdog(1.0, lambda: [task], "a test")
    dog.expect("met", "sun")
    dog.met("met")
    with dog:
        dog.expect("late", "rain")
        threading.Event().wait(60)
"""


def test_the_watchdog_ends_a_process_that_hangs_and_shows_its_tasklets(run_script):
    done = run_script(HANGING, str(PYTHON_TESTS), check=False)
    assert done.returncode == watchdog.EXIT_CODE
    assert "a test" in done.stderr
    assert "no rain for 1.0 s" in done.stderr
    assert "sun" not in done.stderr
    assert "blocked" in done.stderr
    # Without the GIL the frames of another thread's tasklets cannot be looked at.
    assert ("in wait_for_nobody" if HAS_GIL else "wait_for_nobody") in done.stderr
    assert "Current thread" in done.stderr
