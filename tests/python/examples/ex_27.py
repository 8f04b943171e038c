"""EX-27: Channel callback.

Rules: B-01, P-24
"""

import scheduler

log = []
ch = scheduler.channel()
def watch(channel, task, sending, blocks):
    log.append((channel is ch, task.is_main, sending, blocks, ch.balance))
scheduler.set_channel_callback(watch)
scheduler.tasklet(ch.receive)()
scheduler.run()
ch.send(0)
ch.close()
for op in (ch.receive, lambda: next(ch)):
    try:
        op()
    except (ValueError, StopIteration) as e:
        log.append(type(e).__name__)
for line in log:
    print(line)
