"""Where and when a program with tasklets calls os.fork() (H-05, H-09, H-02)."""

from __future__ import annotations

import pytest

from support.fork_programs import run_program  # noqa: F401 (a fixture)

# How a tasklet comes to call `body`, which forks.
WHERE = {
    "tasklet": "scheduler.tasklet(body)(); scheduler.run()",
    "nested run": "scheduler.tasklet(lambda: start(body))(); scheduler.run()",
    "deeply nested run": "scheduler.tasklet(deep)(20); scheduler.run()",
    "sort key": (
        "scheduler.tasklet(sorted)([1], key=lambda n: body() or n); scheduler.run()"
    ),
    "generator": "scheduler.tasklet(list)(body() for _ in 'x'); scheduler.run()",
    "main waiting": (
        "scheduler.tasklet(lambda: (body(), ch.send(0)))(); ch.receive(); scheduler.run()"
    ),
    "schedule callback": (
        "scheduler.set_schedule_callback(once); scheduler.tasklet(len)(''); scheduler.run()"
    ),
    "channel callback": (
        "scheduler.set_channel_callback(once); scheduler.tasklet(ch.send)(0); ch.receive(); "
        "scheduler.run()"
    ),
    "another thread": "thread = threading.Thread(target=run_body); thread.start(); thread.join()",
}  # fmt: skip


# How the child leaves: it goes on like its parent, or ends there. (An error of a callback, and be it
# SystemExit, does not get out of the callback.)
LEAVING = {
    (where, leave)
    for where in WHERE
    for leave in ("pass", "sys.exit(0)", "os._exit(0)")
    if not (leave == "sys.exit(0)" and "callback" in where)
}


@pytest.mark.spec("H-05", "H-09", "S-04", "S-06")
@pytest.mark.parametrize(("where", "leave"), sorted(LEAVING))
def test_fork_from_inside_a_tasklet(run_program, where, leave):
    in_thread = where == "another thread"
    lines = run_program(
        f"""
ch = scheduler.channel()
forked = None

def body():
    global forked
    here = scheduler.getcurrent()
    pid = os.fork()
    forked = pid
    assert scheduler.getcurrent() is here and here.thread_id == threading.get_ident()
    if pid == 0:
        signal.alarm(50)
        {leave}
    log.append("body")

def deep(n):
    start(deep, n - 1) if n else body()

def once(*_):
    scheduler.set_schedule_callback(None)
    scheduler.set_channel_callback(None)
    body()

def bystander():
    for _ in range(3):
        scheduler.schedule()
    log.append("bystander")

def run_body():
    scheduler.tasklet(bystander)()
    scheduler.tasklet(body)()
    scheduler.run()
    finish()

def finish():
    assert sorted(log) == ["body", "bystander"], log
    assert scheduler.getruncount() == 1
    os.write(1, b"parent\\n" if forked else b"child\\n")
    if forked:
        wait_for(forked)

{"" if in_thread else "scheduler.tasklet(bystander)()"}
{WHERE[where]}
{"" if in_thread else "finish()"}
"""
    )
    assert sorted(lines) == (["child", "parent"] if leave == "pass" else ["parent"])


@pytest.mark.spec("H-05", "S-03", "N-01")
def test_a_thread_that_forks_leaves_the_main_threads_tasklets_behind(run_program):
    lines = run_program(
        """
ch = scheduler.channel()
mine = [start(noting(scheduler.schedule_remove)), start(noting(ch.receive))]
scheduler.tasklet(log.append)("must not run in the child")

def child():
    assert managers() == 1 and ch.balance == 0
    assert [(task.alive, task.thread_id) for task in mine] == [(False, -1)] * 2
    task = start(noting(ch.receive))
    ch.send(0)
    scheduler.run()
    assert log == ["went on"]

def work():
    scheduler.getmain()
    fork(child, os._exit)

thread = threading.Thread(target=work)
thread.start()
thread.join()
assert managers() == 1 and ch.balance == -1 and log == []
ch.send(0)
mine[0].insert()
scheduler.run()
print(*log, sep=", ")
"""
    )
    assert lines == ["went on, must not run in the child, went on"]


@pytest.mark.spec("H-05", "H-09", "N-01")
def test_a_child_may_fork_again_and_have_threads(run_program):
    lines = run_program(
        """
ch = scheduler.channel()
paused = start(noting(scheduler.schedule_remove))

def generation(number):
    assert managers() == 1, managers()
    assert ch.balance == 0
    keep_thread(lambda: start(noting(ch.receive)))
    assert managers() == 2 and ch.balance == -1
    if number:
        fork(lambda: (threads.clear(), generation(number - 1)))
    let_go()
    go_on.clear()
    assert managers() == 1 and ch.balance == 0 and log.pop() == "exit"
    paused.run()
    assert log.pop() == "went on"

generation(4)
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("H-05", "H-02")
def test_functions_called_at_fork_may_use_the_scheduler(run_program):
    lines = run_program(
        """
ch = scheduler.channel()

def note(where):
    count = managers()
    task = scheduler.tasklet(lambda: log.append((where, ch.receive())))()
    scheduler.run()
    ch.send(count)
    scheduler.run()
    assert not task.alive

os.register_at_fork(
    before=lambda: note("before"),
    after_in_parent=lambda: note("parent"),
    after_in_child=lambda: note("child"),
)
keep_thread(lambda: start(noting(scheduler.schedule_remove)))
scheduler.getmain()
def child():
    assert log == [("before", 2), ("child", 1)], log
scheduler.tasklet(fork)(child)
scheduler.run()
assert log == [("before", 2), ("parent", 2)], log
let_go()
print("end")
"""
    )
    assert lines == ["end"]


@pytest.mark.spec("H-02", "H-05", "H-08", "H-09", "N-01", "G-09")
def test_fork_in_the_middle_of_heavy_traffic(run_program):
    """What is sent in the parent arrives there, and every child has channels that work."""
    lines = run_program(
        """
sys.setswitchinterval(1e-4)
ch = scheduler.channel()
stop, lining_up = threading.Event(), threading.Barrier(4)
sent, received = {}, []

def produce(name):
    sent[name] = 0
    while not stop.is_set():
        ch.send((name, sent[name]))
        sent[name] += 1

def consume():
    received.append(collections.Counter())
    mine = received[-1]  # how many of each producer, and their sum
    while (item := ch.receive()) is not None:
        name, number = item
        mine[name] += 1
        mine[name, "sum"] += number

def run_while_alive(tasks):
    while any(task.alive for task in tasks):
        scheduler.run()

def work(bodies):
    tasks = [scheduler.tasklet(body)(*args) for body, *args in bodies]
    lining_up.wait()
    run_while_alive(tasks)

producers = [threading.Thread(target=work, args=([(produce, (k, n)) for n in range(5)],))
             for k in range(2)]
consumer = threading.Thread(target=work, args=([(consume,)] * 5,))
for thread in (*producers, consumer):
    thread.start()
mine = [start(consume) for _ in range(2)]
lining_up.wait()

def send_twenty():
    run_while_alive([scheduler.tasklet(lambda: [ch.send(("child", n)) for n in range(20)])()])

def child():
    assert managers() == 1
    assert ch.balance == -sum(task.blocked for task in mine), ch
    scheduler.run()  # what was on its way to this thread arrives
    assert ch.balance == -2 and all(task.blocked for task in mine)
    thread = threading.Thread(target=send_twenty)
    thread.start()
    while thread.is_alive():
        scheduler.run()
    thread.join()
    scheduler.run()
    tally = sum(received, collections.Counter())
    assert (tally["child"], tally["child", "sum"]) == (20, 190), tally
    assert managers() == 1

for n in range(50):
    for _ in range(n % 7):
        scheduler.run()
    fork(child, os._exit if n % 2 else sys.exit)
stop.set()
while any(thread.is_alive() for thread in producers):
    scheduler.run()
run_while_alive([scheduler.tasklet(ch.send)(None) for _ in range(7)])
run_while_alive(mine)
consumer.join()
tally = sum(received, collections.Counter())
for name, count in sent.items():
    assert (tally[name], tally[name, "sum"]) == (count, count * (count - 1) // 2), (name, tally)
assert ch.balance == 0 and managers() == 1
print("end")
"""
    )
    assert lines == ["end"]
