#include "binding/interp/instrumentation.h"

#include "binding/interp/frames.h"

#if PY_VERSION_HEX >= 0x030F0000
extern "C" PyAPI_FUNC(int) _Py_Instrument(PyCodeObject*, PyInterpreterState*);
#endif

namespace scheduler::binding {

#if PY_VERSION_HEX >= 0x030C0000

namespace {

#if PY_VERSION_HEX >= 0x030F0000

// Has CPython instrument code objects.
class Instrumenter {
  public:
    explicit Instrumenter(PyThreadState* thread) : interpreter_(thread->interp) {}

    void instrument(PyCodeObject* code) {
        if (_Py_Instrument(code, interpreter_) != 0) PyErr_Clear();
    }
    static bool finish() { return false; }

  private:
    PyInterpreterState* const interpreter_;
};

#else

int as_int(PyObject* stolen) {
    const int value = stolen != nullptr ? static_cast<int>(PyLong_AsLong(stolen)) : -1;
    Py_XDECREF(stolen);
    return value;
}

// Has CPython instrument code objects. All that it offers is sys.monitoring: it does so when the events
// that a tool wants of a code object change. One more is asked for, and taken back.
class Instrumenter {
  public:
    explicit Instrumenter(PyThreadState*) {}

    void instrument(PyCodeObject* code) {
        if (!is_traceable(code)) return;
        const bool done = (tool_ != kNone || find_tool()) && change_events(code);
        if (!done) PyErr_Clear();
    }

    // Does it count as a change?
    bool finish() {
        if (!is_ours_) return false;
        if (call("free_tool_id", "i", tool_) == nullptr) PyErr_Clear();
        return PY_VERSION_HEX >= 0x030E0000;
    }

  private:
    static constexpr int kNone = -1;
    static constexpr int kTools = 6;  // the others are those of sys.settrace() and sys.setprofile()
    // Bits of BRANCH (later BRANCH_LEFT), JUMP, PY_START, PY_RETURN and CALL: no tool has asked for all.
    static constexpr int kEvents[] = {1 << 8, 1 << 7, 1 << 0, 1 << 2, 1 << 4};

#ifdef CO_NO_MONITORING_EVENTS
    static constexpr int kNoEvents = CO_NO_MONITORING_EVENTS;
#else
    static constexpr int kNoEvents = 0;
#endif

    // CPython refuses its own code, which calls __init__ for instance, and has nothing to do there.
    static bool is_traceable(const PyCodeObject* code) {
        return code->_co_firsttraceable < Py_SIZE(code) && (code->co_flags & kNoEvents) == 0;
    }

    // Calls a function that returns None or a name, which others keep: borrowed.
    template <typename... Arguments>
    PyObject* call(const char* function, const char* format, Arguments... arguments) const {
        PyObject* const result = PyObject_CallMethod(monitoring_, function, format, arguments...);
        Py_XDECREF(result);
        return result;
    }

    // A number that nobody uses, else any: a tool does not notice.
    bool find_tool() {
        monitoring_ = PySys_GetObject("monitoring");
        if (monitoring_ == nullptr) return false;
        for (int tool = kTools - 1; tool >= 0; --tool) {
            const bool is_free = call("get_tool", "i", tool) == Py_None;
            is_ours_ = is_free && call("use_tool_id", "is", tool, "scheduler") != nullptr;
            if (is_ours_) {
                tool_ = tool;
                return true;
            }
            PyErr_Clear();  // another thread has just taken it
        }
        tool_ = kTools - 1;
        return true;
    }

    bool change_events(PyCodeObject* code) const {
        const int everywhere = as_int(PyObject_CallMethod(monitoring_, "get_events", "i", tool_));
        const int here =
            as_int(PyObject_CallMethod(monitoring_, "get_local_events", "iO", tool_, code));
        if (everywhere < 0 || here < 0) return false;
        for (const int event : kEvents) {
            if (((everywhere | here) & event) != 0) continue;
            return set_events(code, here | event) && set_events(code, here);
        }
        return true;
    }
    bool set_events(PyCodeObject* code, int events) const {
        return call("set_local_events", "iOi", tool_, code, events) != nullptr;
    }

    PyObject* monitoring_ = nullptr;  // borrowed
    int tool_ = kNone;
    bool is_ours_ = false;
};

#endif

bool has_code(const _PyInterpreterFrame* frame) {
    return frame->owner == FRAME_OWNED_BY_THREAD || frame->owner == FRAME_OWNED_BY_GENERATOR;
}

}  // namespace

bool Instrumentation::is_current(std::uint64_t version, std::uint64_t current) const {
    const std::uint64_t same = same_.load(std::memory_order_relaxed);
    return version == current || (current == same >> 32 && version >= (same & 0xFFFFFFFF));
}

void Instrumentation::note_same(std::uint64_t before, std::uint64_t after) {
    // Another change may have come between where threads run at the same time.
    if (after != before + kVersionStep) return;
    const std::uint64_t same = same_.load(std::memory_order_relaxed);
    const std::uint64_t first = before == same >> 32 ? same & 0xFFFFFFFF : before;
    same_.store(after << 32 | first, std::memory_order_relaxed);
}

void Instrumentation::catch_up(PyThreadState* thread) {
    const std::uint64_t current = instrumentation_version(thread);
    Instrumenter instrumenter(thread);
    for (auto* frame = innermost(get_frames(thread)); frame != nullptr; frame = frame->previous) {
        if (!has_code(frame)) continue;
        PyCodeObject* const code = code_of(frame);
        const std::atomic_ref version(code->_co_instrumentation_version);
        std::uintptr_t known = version.load(std::memory_order_relaxed);
        if (!is_current(known, current)) {
            instrumenter.instrument(code);
        } else if (known != current) {
            // Unless another thread has had it instrumented for a later version meanwhile.
            version.compare_exchange_strong(known, current, std::memory_order_release,
                                            std::memory_order_relaxed);
        }
    }
    const std::uint64_t before = instrumentation_version(thread);
    if (instrumenter.finish()) note_same(before, instrumentation_version(thread));
}

#else

void Instrumentation::catch_up(PyThreadState*) {}

#endif

}  // namespace scheduler::binding
