// SchedulerCpp.hpp: tasklets and channels for hosts in C++17 or later. Scheduler.h without casts,
// reference counts and checks of each result: handles own what they refer to, failures are exceptions.
//
//     scheduler::Interpreter python;                    // or the program runs Python already
//     scheduler::Channel<int> numbers;
//     scheduler::Tasklet adder =
//         scheduler::spawn([&] { return numbers.receive() + numbers.receive(); });
//     numbers.send(3);
//     numbers.send(4);
//     int sum = adder.result<int>();
//
// Only headers: nothing is linked. Everything is what the members of the table do, whose comments in
// Scheduler.h have the details: who may call from which thread, and which RuntimeErrors there are.
//
// Failure. Whatever fails throws a PythonError, which holds the Python exception; nothing is changed
// then. A tasklet that is killed while it waits in C++ code gets a PythonError there that matches
// TaskletExit: let it pass. No exception may leave a C function that Python calls: function() and
// guarded() see to that.
//
// Threads. Hold the GIL (see Gil) for all that is here. A handle may be used by any thread; each
// thread has tasklets of its own, and spawn() makes one of the calling thread.
//
// Times are durations of std::chrono: how long to wait at most, then the call throws a PythonError that
// matches TimeoutError, unless it says otherwise. 0 tries once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "SchedulerValues.hpp"

namespace scheduler {

using Seconds = std::chrono::duration<double>;
inline constexpr Seconds kNoLimit{SCHEDULER_NO_LIMIT};

namespace detail {
inline std::atomic<SchedulerCAPI*> table{nullptr};
}

// The table, for what has no name here: see Scheduler.h. The first call imports the package, for which
// the GIL is needed; PythonError if that fails.
inline SchedulerCAPI& api() {
    SchedulerCAPI* found = detail::table.load(std::memory_order_acquire);
    if (found == nullptr) {
        if (!detail::is_attached()) throw PythonError("the first call needs a Gil");
        found = SchedulerAPI();
        detail::check(found != nullptr);
        detail::table.store(found, std::memory_order_release);
    }
    return *found;
}

namespace detail {

template <typename Raw>  // PyTaskletObject or PyChannelObject
Object steal(Raw* object) {
    return Object::steal(reinterpret_cast<PyObject*>(object));
}

// `object`, which must be what `is_kind` tells.
inline Object checked(Object object, int (*is_kind)(PyObject*), const char* kind) {
    if (is_kind(object.get()) != 0) return object;
    const char* const given = object ? Py_TYPE(object.get())->tp_name : "nothing";
    throw PythonError(PyExc_TypeError, std::string("expected a ") + kind + ", not " + given);
}

}  // namespace detail

// ---- select ------------------------------------------------------------------------------------

// What select() may wait for: made by Channel::receiving(), Channel::sending() and Tasklet::ending().
struct Case {
    int kind;  // SCHEDULER_CASE_...
    Object object;
    Object value;
};

struct Selected {
    std::size_t index;  // the case that was done
    Object value;  // what it has brought: what was received, else None
};

// Waits until one of the cases can be done, and does that one. `ordered`: of several that can be done
// at once the first one is taken.
inline Selected select(const std::vector<Case>& cases, Seconds timeout = kNoLimit,
                       bool ordered = false) {
    std::vector<SchedulerCase> borrowed;
    for (const Case& one : cases) {
        borrowed.push_back({one.kind, one.object.get(), one.value.get()});
    }
    PyObject* value = nullptr;
    const auto count = static_cast<Py_ssize_t>(borrowed.size());
    const Py_ssize_t index =
        api().PyScheduler_Select(borrowed.data(), count, timeout.count(), ordered ? 1 : 0, &value);
    detail::check(index >= 0);
    return {static_cast<std::size_t>(index), Object::steal(value)};
}

// ---- tasklets ----------------------------------------------------------------------------------

// When an exception is raised in a tasklet, and who runs then.
enum class Raise {
    kNow,  // the tasklet has a turn now, and those behind it
    kAlone,  // the tasklet has a turn now, and nobody else
    kLater,  // at its next turn; it is queued. From any thread
};

// A tasklet that exists: scheduler.Tasklet. To make one see spawn().
class Tasklet : public Object {
  public:
    // One that an object refers to. PythonError (TypeError) if it is none.
    explicit Tasklet(Object object)
        : Object(detail::checked(std::move(object), api().PyTasklet_Check, "tasklet")) {}

    // One that is not to run yet: alive and paused, see insert() and resume(). What it is to call is
    // a Python object; for a C++ function see function().
    template <typename... Arguments>
    static Tasklet bound(const Object& callable, const Arguments&... arguments) {
        const Object none_yet = detail::tuple();
        Tasklet made(detail::steal(api().PyTasklet_New(api().PyTaskletType, none_yet.get())));
        made.bind(callable, arguments...);
        return made;
    }
    // Gives it something else to do, and leaves it paused.
    template <typename... Arguments>
    void bind(const Object& callable, const Arguments&... arguments) {
        const Object tuple = detail::tuple(arguments...);
        detail::check(api().PyTasklet_Bind(raw(), callable.needed(), tuple.get(), nullptr) == 0);
    }

    // To the end of the runnables queue of its thread, and out of it. From any thread.
    void insert() const { detail::check(api().PyTasklet_Insert(raw()) == 0); }
    void remove() const { detail::check(api().PyTasklet_Remove(raw()) == 0); }
    // Gives exactly this tasklet one turn now.
    void resume() const { detail::check(api().PyTasklet_Resume(raw()) == 0); }
    // Ends it by TaskletExit; one that is dead is left alone. Python's kill() is kNow.
    void kill(Raise when = Raise::kAlone) const { raise(*api().TaskletExit, nullptr, when); }
    // Raises an exception in it, for instance PythonError(PyExc_ValueError, "no").
    void raise(const PythonError& error, Raise when = Raise::kAlone) const {
        raise(error.value().get(), nullptr, when);
    }

    // Waits until it is dead, for `timeout` at most. Returns whether it is. Any thread.
    bool join(Seconds timeout = kNoLimit) const {
        const int dead = api().PyTasklet_Join(raw(), timeout.count());
        detail::check(dead >= 0);
        return dead != 0;
    }
    // The same, and returns what its callable has returned, or throws what that has raised.
    template <typename T = Object>
    T result(Seconds timeout = kNoLimit) const {
        return steal(api().PyTasklet_Result(raw(), timeout.count())).template as<T>();
    }
    // For select(): is done when the tasklet is dead.
    Case ending() const { return {SCHEDULER_CASE_JOIN, *this, Object()}; }

    bool alive() const { return flag(api().PyTasklet_Alive(raw())); }
    bool is_main() const { return flag(api().PyTasklet_IsMain(raw())); }
    bool block_trap() const { return flag(api().PyTasklet_GetBlockTrap(raw())); }
    void set_block_trap(bool trap) const { api().PyTasklet_SetBlockTrap(raw(), trap ? 1 : 0); }
    long times_switched_to() const {
        const long times = api().PyTasklet_GetTimesSwitchedTo(raw());
        detail::check(times >= 0);
        return times;
    }

    // For functions of the table. Borrowed.
    PyTaskletObject* raw() const { return reinterpret_cast<PyTaskletObject*>(get()); }

  private:
    static bool flag(int value) {
        detail::check(value >= 0);
        return value != 0;
    }
    void raise(PyObject* type, PyObject* value, Raise when) const {
        const int result =
            when == Raise::kAlone
                ? api().PyTasklet_ThrowAlone(raw(), type, value, nullptr)
                : api().PyTasklet_Throw(raw(), type, value, nullptr, when == Raise::kLater ? 1 : 0);
        detail::check(result == 0);
    }
};

// A new tasklet of this thread, queued: it will call `callable(arguments...)`. That is a Python object,
// or a function or lambda of C++ (see function(), by which it also gets a name of your own).
template <typename Callable, typename... Arguments>
Tasklet spawn(Callable callable, const Arguments&... arguments) {
    if constexpr (std::is_base_of_v<Object, Callable>) {
        Tasklet made = Tasklet::bound(callable, arguments...);
        made.insert();
        return made;
    } else {
        return spawn(function("cpp_function", std::move(callable)), arguments...);
    }
}

// ---- channels ----------------------------------------------------------------------------------

// A channel for values of type T (see Convert), which is converted at each end; Object takes all. Its
// other end may be Python code. A handle is made with a new channel, and copies share it.
template <typename T = Object>
class Channel : public Object {
  public:
    Channel() : Object(detail::steal(api().PyChannel_New(nullptr))) {}
    // One that an object refers to. PythonError (TypeError) if it is none.
    explicit Channel(Object object)
        : Object(detail::checked(std::move(object), api().PyChannel_Check, "channel")) {}
    // A QueueChannel: it queues what nobody waits for, so that to send never waits.
    static Channel queue() { return Channel(detail::steal(api().PyQueueChannel_New(nullptr))); }

    // Waits for a receiver, and hands the value over.
    void send(const T& value, Seconds timeout = kNoLimit) const {
        const Object sent = to_python(value);
        const bool ok = timeout == kNoLimit ? api().PyChannel_Send(raw(), sent.get()) == 0
                                            : api().PyChannel_SendWithTimeout(raw(), sent.get(),
                                                                              timeout.count()) == 0;
        detail::check(ok);
    }
    // The same with an exception, which is raised in the receiver.
    void send_exception(const PythonError& error, Seconds timeout = kNoLimit) const {
        detail::check(api().PyChannel_SendExceptionWithTimeout(raw(), error.value().get(), nullptr,
                                                               timeout.count()) == 0);
    }
    // Waits for a sender, and takes what it brings; PythonError for an object that is no T, which is
    // dropped.
    T receive(Seconds timeout = kNoLimit) const {
        PyObject* const value = timeout == kNoLimit
                                    ? api().PyChannel_Receive(raw())
                                    : api().PyChannel_ReceiveWithTimeout(raw(), timeout.count());
        return steal(value).template as<T>();
    }
    // The same for `while (auto value = channel.next())`: nothing when the channel is closed.
    std::optional<T> next() const {
        const Object value = own(PyIter_Next(needed()));
        return value ? std::optional<T>(value.template as<T>()) : std::nullopt;
    }
    // For select().
    Case receiving() const { return {SCHEDULER_CASE_RECEIVE, *this, Object()}; }
    Case sending(const T& value) const { return {SCHEDULER_CASE_SEND, *this, to_python(value)}; }

    // Waiting senders, or minus the number of waiting receivers; of a QueueChannel what is queued.
    int balance() const { return number(api().PyChannel_GetBalance(raw())); }
    // Who goes on after a transfer: -1 the receiver, 1 the sender, 0 neither is favoured.
    int preference() const { return number(api().PyChannel_GetPreference(raw())); }
    void set_preference(int value) const { api().PyChannel_SetPreference(raw(), value); }
    // Nobody may begin to wait any more; with `wake` those who do get ChannelClosed. From any thread.
    void close(bool wake = true) const {
        detail::check(api().PyChannel_Close(raw(), wake ? 1 : 0) == 0);
    }
    // Kills all who wait.
    void clear() const { detail::check(api().PyChannel_Clear(raw()) == 0); }

    // For functions of the table. Borrowed.
    PyChannelObject* raw() const { return reinterpret_cast<PyChannelObject*>(get()); }

  private:
    // -1 is an ordinary value, too.
    static int number(int value) {
        detail::check(value != -1 || PyErr_Occurred() == nullptr);
        return value;
    }
    // The end of an iteration is no error, and no object.
    static Object own(PyObject* object) {
        if (object == nullptr && PyErr_Occurred() == nullptr) return Object();
        return steal(object);
    }
};

// ---- this thread: the current tasklet, and runs ------------------------------------------------

// The tasklet whose code is running; outside of all the main one.
inline Tasklet current() { return Tasklet(Object::steal(api().PyScheduler_GetCurrent())); }

// Gives way: others have their turns first.
inline void schedule() { Object::steal(api().PyScheduler_Schedule(nullptr, 0)); }

// Blocks the current tasklet for that time; others run.
inline void sleep(Seconds time) { detail::check(api().PyScheduler_Sleep(time.count()) == 0); }

// How many are queued, and the main tasklet.
inline int run_count() {
    const int count = api().PyScheduler_GetRunCount();
    detail::check(count >= 0);
    return count;
}

// Runs the queue until it is empty; once `limit` is over no further turn is given. Throws what a
// tasklet did not catch; the others stay queued.
inline void run(Seconds limit = kNoLimit) {
    detail::check(api().PyScheduler_Run(0, limit.count()) == 0);
}

// The same until no tasklet of this thread is alive; while all of them wait this thread does, too.
inline void run_all(Seconds limit = kNoLimit) {
    detail::check(api().PyScheduler_Run(1, limit.count()) == 0);
}

// At most so many turns.
inline void run_turns(int turns) { Object::steal(api().PyScheduler_RunNTasklets(turns)); }

// For a loop that hosts this thread: runs some of what is runnable, and never waits. Returns whether
// there is more; if not, the waker will tell.
inline bool pump(long long turns = SCHEDULER_ANY_TURNS, Seconds limit = kNoLimit) {
    const int more = api().PyScheduler_Pump(turns, limit.count());
    detail::check(more >= 0);
    return more != 0;
}

// How long such a loop may sleep: until the next timer of this thread is due; kNoLimit without one.
inline Seconds next_deadline() {
    const double seconds = api().PyScheduler_NextDeadline();
    detail::check(seconds >= 0);
    return Seconds(seconds);
}

// Has `wake(data)` called when there is something to do for this thread outside of pump(), once until
// the next one, for the life of the object. Any thread calls it, in the middle of what it does: it must
// call nothing of Python and nothing of this header.
class Waker {
  public:
    Waker(scheduler_waker_func* wake, void* data) {
        detail::check(api().PyScheduler_SetWaker(wake, data) == 0);
    }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    ~Waker() {
        if (Py_IsInitialized() != 0) api().PyScheduler_SetWaker(nullptr, nullptr);
    }
};

}  // namespace scheduler
