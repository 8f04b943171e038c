"""EX-38: Description attributes.

Rules: A-03, A-07, A-08, A-09, A-10, A-11, A-12, A-13
"""

import scheduler, functools

def recipe(): pass
t = scheduler.tasklet()
print(repr(t.method_name), t.line_number, repr(t.context), t.runTime, t.highlighted)
t.bind(recipe)
print(t.method_name, t.module_name, t.line_number == recipe.__code__.co_firstlineno,
      t.file_name == recipe.__code__.co_filename)
for f in (len, functools.partial(len, "")):
    u = scheduler.tasklet(f)
    print(u.method_name, u.module_name, u.file_name, u.line_number)
t.context = "ctx"; t.parent_callsite = "here"; t.runTime = 2; t.highlighted = True
print(t.context, t.parent_callsite, t.runTime, t.highlighted)
t.setup()
print(t.startTime, t.endTime)
scheduler.run()
print(0 < t.startTime < t.endTime)
for name, value in (("context", 1), ("highlighted", 1), ("runTime", "x"), ("alive", True)):
    try:
        setattr(t, name, value)
    except Exception as e:
        print(name, type(e).__name__)
print("frame", t.frame)
m = scheduler.getmain()
print(m.is_main, m.is_current, t.is_main, t.is_current, scheduler.get_thread_info()[:2] == (m, m))
