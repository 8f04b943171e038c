"""What the message of a Deadlock says: which tasklets wait, and for what."""

from __future__ import annotations

import pytest

import scheduler
from support.exceptions import message
from support.scheduling import started
from support.threads import RemoteThread

PLAIN = (
    "Deadlock: the main tasklet would wait for ever, for no tasklet of this thread is runnable and "
    "no other thread could change that"
)


@pytest.fixture(autouse=True)
def _no_wait(deadlock_timeout):
    deadlock_timeout(0)


def kill_all(*tasks):
    for task in tasks:
        task.kill()


def test_nobody_waits():
    assert message(scheduler.channel().receive) == PLAIN


def test_who_waits_and_for_what():
    first, second = scheduler.channel(), scheduler.channel()

    def job():
        first.receive()

    receiving = started(job)
    sending = started(second.send, None)
    sending.name = "größe"
    joining = started(receiving.join)
    assert message(scheduler.channel().send, None) == (
        f"{PLAIN}. Waiting: 'job' receives on {first!r}; 'größe' sends on {second!r}; "
        f"'join' joins {receiving!r}"
    )
    kill_all(joining, receiving, sending)
    assert message(scheduler.channel().receive) == PLAIN


def test_ten_are_named():
    channel = scheduler.channel()
    tasks = [started(channel.receive) for _ in range(13)]
    for number, task in enumerate(tasks):
        task.name = f"task {number}"
    ten = "; ".join(f"'task {number}' receives on {channel!r}" for number in range(10))
    assert message(scheduler.channel().receive) == f"{PLAIN}. Waiting: {ten}; and 3 more"
    kill_all(*tasks[:3])
    ten = "; ".join(f"'task {number}' receives on {channel!r}" for number in range(3, 13))
    assert message(scheduler.channel().receive) == f"{PLAIN}. Waiting: {ten}"
    kill_all(*tasks[3:])


def test_the_error_after_a_time_says_so_too():
    channel = scheduler.channel()
    task = started(channel.receive)
    task.name = "ours"
    other_channel = scheduler.channel()
    with RemoteThread() as other:
        theirs = other.call(started, other_channel.receive)
        scheduler.set_deadlock_timeout(0.01)
        text = message(scheduler.channel().receive)
        assert text == (
            "Deadlock: no tasklet of this thread is runnable, and no other thread has served the "
            "main tasklet for 0.01 seconds; set_deadlock_timeout() changes that time. Waiting: "
            f"'ours' receives on {channel!r}; 'receive' of thread {other.ident} receives on "
            f"{other_channel!r}"
        )
        other.call(theirs.kill)
    task.kill()


def test_a_run_that_waits_for_nobody(run_script):
    done = run_script(
        """
        import scheduler
        channel = scheduler.channel()
        task = scheduler.tasklet(channel.receive)()
        try:
            scheduler.run(threadblock=True)
        except RuntimeError as error:
            assert str(error).startswith("Deadlock: "), error
            assert str(error).endswith(f". Waiting: 'receive' receives on {channel!r}"), error
            print("as expected")
        """
    )
    assert done.stdout == "as expected\n"


class Hostile(scheduler.tasklet):
    def __repr__(self):
        raise AssertionError("this ran")

    name = method_name = thread_id = property(__repr__)


class HostileChannel(scheduler.channel):
    __repr__ = Hostile.__repr__
    balance = property(Hostile.__repr__)


class HostileText(str):
    __repr__ = __str__ = Hostile.__repr__


def test_no_code_of_the_program_runs():
    channel = HostileChannel()
    task = Hostile(channel.receive)()
    scheduler.tasklet.name.__set__(task, HostileText("hostile"))
    scheduler.run()
    text = message(scheduler.channel().receive)
    assert text.startswith(f"{PLAIN}. Waiting: 'hostile' receives on <")
    assert "HostileChannel balance=-1 preference=-1 open at" in text
    task.kill()


class Meta(type):
    def __getattribute__(cls, name):
        raise AssertionError("this ran")


def test_odd_types_are_described():
    kind = Meta("Odd", (scheduler.channel,), {"__module__": 5})
    channel = scheduler.channel.__new__(kind)
    scheduler.channel.__init__(channel)
    task = started(scheduler.channel.receive, channel)
    assert "'receive' receives on <?.Odd balance=-1 " in message(scheduler.channel().receive)
    task.kill()
