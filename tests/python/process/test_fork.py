"""os.fork() in programs with tasklets (H-05, H-09, S-03, D-42).

In the child the forking thread goes on with its tasklets; those of all other threads are
abandoned: dead, out of every queue and line, and without a line of their code having run.
"""

from __future__ import annotations

import pytest

from support.fork_programs import run_program  # noqa: F401 (a fixture)

every_exit = pytest.mark.parametrize("leave", ["sys.exit", "os._exit"])


# What another thread has: how it is made, and what becomes of it in the parent in the end.
FOREIGN = {
    "new": ("tasks.append(scheduler.tasklet(log.append).bind(args=('ran',)))", []),
    "queued": ("tasks.append(scheduler.tasklet(log.append)('ran'))", []),
    "yielded": ("tasks.append(start(noting(scheduler.schedule)))", ["exit"]),
    "paused": ("tasks.append(start(noting(scheduler.schedule_remove)))", ["exit"]),
    "receiving": ("tasks.append(start(noting(ch.receive)))", ["exit"]),
    "sending": ("tasks.append(start(noting(lambda: ch.send(0))))", ["exit"]),
    "pending killed": (
        "tasks.append(start(noting(scheduler.schedule_remove))); tasks[0].kill(pending=True)",
        ["exit"],
    ),
    "in a sort": ("task(lambda: sorted([1], key=key)).run()", ["exit"]),
    "having its turn": ("task(noting(hold)).run()", ["went on"]),
    "driving another": ("task(noting(lambda: task(noting(hold)).run())).run()", ["went on"] * 2),
}


@pytest.mark.spec("H-05", "H-06", "H-09", "D-18", "N-01", "S-03")
@every_exit
@pytest.mark.parametrize("name", FOREIGN)
def test_tasklets_of_other_threads_are_abandoned(run_program, name, leave):
    make, in_the_end = FOREIGN[name]
    lines = run_program(
        f"""
tasks, ch = [], scheduler.channel()

def task(body):
    tasks.append(scheduler.tasklet(body)())
    return tasks[-1]

def key(item):
    noting(scheduler.schedule_remove)()
    return item

def make():
    {make}

def child():
    assert managers() == 1
    for task in tasks:
        assert not (task.alive or task.blocked or task.scheduled), task
        assert (task.thread_id, task.next, task.prev, task.frame) == (-1, None, None, None)
        for call in (task.run, task.switch, task.insert, task.kill, task.setup):
            try:
                call()
            except RuntimeError:
                continue
            assert False, call
    assert ch.balance == 0
    del task, call
    tasks.clear()
    gc.collect()
    scheduler.run()
    assert log == []

keep_thread(make)
scheduler.getmain()
was_alive = [task.alive for task in tasks]
fork(child, {leave})
assert [task.alive for task in tasks] == was_alive and all(was_alive)
assert log == [] and managers() == 2
let_go()
print(*log)
"""
    )
    assert lines == [" ".join(in_the_end)]


@pytest.mark.spec("H-05", "H-09", "S-03", "C-02", "F-01")
@pytest.mark.parametrize("nested", [True, False])
def test_tasklets_of_the_forking_thread_go_on_in_both_processes(run_program, nested):
    lines = run_program(
        f"""
scheduler.set_use_nested_tasklets({nested})
mail, post = scheduler.channel(), scheduler.channel()
keep_thread(lambda: start(scheduler.schedule_remove))

def body(name, suspend):
    got = suspend()
    log.append((name, got))

new = scheduler.tasklet(log.append).bind(args=(("new", None),))
paused = scheduler.tasklet(body)("paused", scheduler.schedule_remove)
receiving = scheduler.tasklet(body)("receiving", mail.receive)
sending = scheduler.tasklet(body)("sending", lambda: post.send("posted"))
scheduler.run()
yielded = scheduler.tasklet(body)("yielded", scheduler.schedule)
queued = scheduler.tasklet(log.append)(("queued", None))
scheduler.run_n_tasklets(1)
assert not log and scheduler.getruncount() == 3

def finish():
    assert [task.alive for task in (new, paused, receiving, sending, yielded, queued)] == [True] * 6
    assert (mail.balance, post.balance) == (-1, 1)
    assert scheduler.getmain().thread_id == threading.get_ident() == new.thread_id
    new.insert()
    paused.insert()
    mail.send("mail")
    assert post.receive() == "posted"
    scheduler.run()
    log.sort()
    assert log == [("new", None), ("paused", None), ("queued", None), ("receiving", "mail"),
                   ("sending", None), ("yielded", None)], log
    assert scheduler.getruncount() == 1 and mail.balance == post.balance == 0

fork(finish)
assert log == []
finish()
let_go()
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("H-05", "C-03", "C-02", "G-05")
@pytest.mark.parametrize("sends", [True, False])
def test_a_line_loses_the_foreign_tasklets_and_keeps_its_order(run_program, sends):
    lines = run_program(
        f"""
sends = {sends}
ch = scheduler.channel()

def wait(name):
    if sends:
        ch.send(name)
        log.append(name)
    else:
        log.append((name, ch.receive()))

def serve(*names):
    "Serves those that wait, who must be these."
    for n, name in enumerate(names):
        if sends:
            assert ch.receive() == name
        else:
            ch.send(n)
        scheduler.run()
        assert ch.balance == (len(names) - n - 1) * (1 if sends else -1)

mine = []
for n in range(3):
    keep_thread(lambda: start(wait, f"foreign {{n}}"))
    mine.append(start(wait, f"own {{n}}"))
assert abs(ch.balance) == 6

def child():
    assert abs(ch.balance) == 3 and ch.queue is mine[0]
    serve("own 0", "own 1", "own 2")
    assert log == (["own 0", "own 1", "own 2"] if sends
                   else [("own 0", 0), ("own 1", 1), ("own 2", 2)]), log
    assert ch.queue is None

fork(child)
assert abs(ch.balance) == 6 and ch.queue is not mine[0]
serve("foreign 0", "own 0", "foreign 1", "own 1", "foreign 2", "own 2")
let_go()
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("H-05", "C-40", "C-43", "C-52")
@pytest.mark.parametrize("use", ["close", "clear", "unblock_all"])
def test_channels_where_foreign_tasklets_waited_can_be_closed_and_cleared(run_program, use):
    lines = run_program(
        f"""
use = {use!r}
sending, receiving = scheduler.channel(), scheduler.channel()

def make():
    start(noting(lambda: sending.send(object())))
    start(noting(receiving.receive))

keep_thread(make)
if use == "close":
    sending.close()
    receiving.close()
    assert not (sending.closed or receiving.closed)

def child():
    if use == "clear":
        sending.clear()
        receiving.clear()
    elif use == "unblock_all":
        assert scheduler.unblock_all_channels() == 0
    assert (sending.balance, receiving.balance) == (0, 0)
    assert sending.closed is receiving.closed is (use == "close")
    assert log == []

fork(child)
assert (sending.balance, receiving.balance) == (1, -1)
assert not (sending.closed or receiving.closed)
let_go()
assert log == ["exit"] * 2
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("H-05", "H-03", "S-02", "D-18")
def test_the_blocked_main_tasklet_of_another_thread_is_abandoned_too(run_program):
    lines = run_program(
        """
ch = scheduler.channel()
mains = []

def work():
    mains.append(scheduler.getmain())
    scheduler.tasklet(hold)()  # has its turn while main waits
    log.append(ch.receive())

keep_thread(work)
main = mains[0]
assert main.blocked and ch.balance == -1

def child():
    assert not (main.alive or main.blocked or main.scheduled)
    assert (main.is_main, main.thread_id, ch.balance) == (True, -1, 0)
    receiver = start(noting(ch.receive))
    ch.send("for the child's own")
    scheduler.run()
    assert log == ["went on"] and not receiver.alive

fork(child)
assert main.blocked and ch.balance == -1
ch.send("for the other main")
let_go()
print(*log)
"""
    )
    assert lines == ["for the other main"]


@pytest.mark.spec("H-05", "DEC-8", "H-09")
@every_exit
def test_a_childs_tasklets_are_unwound_when_it_ends_unless_it_just_stops(run_program, leave):
    lines = run_program(
        f"""
def body():
    try:
        scheduler.schedule_remove()
    finally:
        os.write(1, b"parent\\n" if os.getpid() == parent else b"child\\n")

parent = os.getpid()
paused = start(body)
fork(lambda: None, {leave})
os.write(1, b"child has ended\\n")
"""
    )
    in_child = ["child"] if leave == "sys.exit" else []
    assert lines == [*in_child, "child has ended", "parent"]


@pytest.mark.spec("DEC-2", "DEC-8", "H-01", "H-05")
def test_mail_on_its_way_to_the_forking_thread_arrives_in_both_processes(run_program):
    lines = run_program(
        """
ch = scheduler.channel()
orphans = [start(noting(scheduler.schedule_remove))]
victim = start(noting(scheduler.schedule_remove))
inserted = start(noting(scheduler.schedule_remove))
served = start(noting(ch.receive))

def post():
    orphans.clear()
    victim.kill(pending=True)
    inserted.insert()
    ch.send(0)

thread = threading.Thread(target=post)
thread.start()
thread.join()
# This thread has not come to a scheduling point yet. Without the GIL it may have found out by itself
# that the orphan's last reference is gone.
before = list(log)
assert before in ([], ["exit"])

def read():
    scheduler.run()
    assert sorted(log) == ["exit", "exit", "went on", "went on"], log
    assert not (victim.alive or inserted.alive or served.alive)

fork(read)
assert log == before
read()
print("end")
"""
    )
    assert lines == ["end"]
