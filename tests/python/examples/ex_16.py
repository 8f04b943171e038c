"""EX-16: send_exception and send_throw.

Rules: C-30, C-31
"""

import scheduler, sys, traceback

ch = scheduler.channel()
def catcher():
    while True:
        try:
            ch.receive()
        except Exception as e:
            tb = traceback.extract_tb(e.__traceback__)
            print(type(e).__name__, e.args, tb[-1].name)

scheduler.tasklet(catcher)()
scheduler.run()
ch.send_exception(KeyError)
ch.send_exception(KeyError, "k")
ch.send_exception(KeyError, "k", 2)
ch.send_exception(KeyError, ("k", 3))
ch.send_exception(LookupError, KeyError("sub"))
def origin():
    raise OSError(5, "disk")
try:
    origin()
except OSError:
    ch.send_throw(*sys.exc_info())
ch.send_throw(exc=ValueError, val="v")
for bad in ((), ("text",)):
    try:
        ch.send_exception(*bad)
    except Exception as e:
        print(type(e).__name__)
try:
    ch.send_throw("text")
except Exception as e:
    print(type(e).__name__)
