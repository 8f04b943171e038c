// Switching C stacks.
//
// A Context says where a stopped stack goes on. A switch is one jump (jump.h): it pushes the registers
// that the calling convention lets a callee keep, moves the stack pointer, and pops them on the other
// side. Nothing is copied and a stack never moves, so pointers into it stay valid while it is stopped.
// x86-64 and aarch64 differ only in there.
//
// What goes along with a stack: the callee-saved registers, and the control words of floating-point
// numbers (float_control.h). On x86-64 a new stack starts with those of who prepared it, on aarch64
// with those of who entered it: whoever wants others applies them there. What does not: signal mask,
// errno, thread_local variables, and the C++ runtime's list of exceptions in flight
// (__cxa_get_globals), which whoever switches inside a `catch` block must carry by himself.
//
// Backtraces and C++ unwinding end cleanly at a stack's first frame: make_fcontext() lays a return
// address there whose unwind information says so. So pthread_exit() works on any stack: it unwinds that
// stack and ends the thread. Nothing on that path may be noexcept.
//
// Threads: a Context belongs to one thread, from prepare() to retire().
#pragma once

#include <cstddef>
#include <utility>

#include "check.h"
#include "float_control.h"
#include "jump.h"
#include "sanitizer.h"

namespace scheduler::core {

// The usable memory of one stack, two uses back to back:
//
//     bottom            split                  top
//       |  <- C stack     |  frame memory ->    |
//
// The C stack grows down from `split` (16-byte aligned), the interpreter's frame memory up from it.
struct StackSpan {
    std::byte* bottom = nullptr;
    std::byte* split = nullptr;
    std::byte* top = nullptr;
};

// Starts to fetch this many lines of the cache.
SCHED_ALWAYS_INLINE void prefetch_lines(const void* begin, std::size_t count) {
    const auto* const bytes = static_cast<const std::byte*>(begin);
    for (std::size_t line = 0; line < count; ++line) __builtin_prefetch(bytes + line * 64);
}

// Where a stack that does not run goes on. A default-constructed Context stands for a thread's own
// stack: it is filled in when that is left.
class Context {
  public:
    // What runs on a stack of its own. It must never return, and no exception may leave it except
    // the forced unwind of pthread_exit().
    using Entry = void (*)(void* argument);

    Context() = default;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    // Lays out `stack` so that the first switch to this Context calls Function(argument) on it. The
    // Context must be empty: new, finished, or retired.
    template <Entry Function>
    void prepare(const StackSpan& stack, void* argument) {
        SCHED_CHECK(!prepared_or_stopped(), "prepare() of a stack that has yet to go on");
        const auto bytes = static_cast<std::size_t>(stack.split - stack.bottom);
        fiber_.create(stack.bottom, bytes);
        argument_ = argument;
        where_ = first_position(stack.split, bytes, &Context::begin<Function>);
    }

    // True when it may be switched to; false while it runs, when it is empty, and after its end.
    bool prepared_or_stopped() const { return where_ != nullptr; }

    // Starts to fetch what a switch to this stopped stack, and the return from there, will read first.
    SCHED_ALWAYS_INLINE void prefetch() const {
        if (where_ != nullptr) prefetch_lines(where_, 10);
    }

    // Leaves `from`, which must be the running one, and goes on with `to`. Returns when somebody
    // switches back to `from`. Not noexcept: a forced unwind (pthread_exit) may pass.
    SCHED_ALWAYS_INLINE static void switch_to(Context& from, Context& to) {
        SCHED_DCHECK(from.where_ == nullptr, "only the running stack can be left");
        void* const target = to.enter_from(&from);
        from.fiber_.start_switch(to.fiber_);
        const StoppedFloatControl float_control;
        const Arrival arrival = jump(target, &to);
        float_control.restore();
        from.arrive(arrival.fctx);
    }

    // Leaves the running stack, `from`, for the last time and goes on with `to`. Afterwards `from`
    // is empty; whoever runs next retires it and recycles its memory. No destructor of the frames
    // left on the stack runs.
    [[noreturn]] SCHED_ALWAYS_INLINE static void finish(Context& from, Context& to) {
        SCHED_DCHECK(from.where_ == nullptr, "only the running stack can end");
        void* const target = to.enter_from(nullptr);
        from.fiber_.start_last_switch(to.fiber_);
        jump(target, &to);
        SCHED_CHECK(false, "a finished stack was entered again");
        __builtin_unreachable();
    }

    // The running stack, so far that of `finished`, goes on as that of `fresh`, an empty Context:
    // how one stack runs one tasklet after another without a jump. `finished` is empty afterwards.
    static void adopt(Context& finished, Context& fresh) {
        SCHED_DCHECK(finished.where_ == nullptr, "only the running stack can be handed on");
        SCHED_CHECK(!fresh.prepared_or_stopped(), "adopt() for a tasklet that has a stack");
        fresh.fiber_.take_over(finished.fiber_);
    }

    // Forgets the stack before its memory is given back: finished, or dropped in the middle. Called
    // on another stack; harmless when empty. Never for a thread's own stack.
    void retire() {
        fiber_.destroy();
        where_ = nullptr;
    }

  private:
    // The first thing that runs on a prepared stack.
    template <Entry Function>
    static void begin(Arrival arrival) {
        Context& self = *static_cast<Context*>(arrival.data);
        self.arrive(arrival.fctx);
        Function(self.argument_);
        SCHED_CHECK(false, "the entry function of a stack returned");
    }

    // Takes out where this stack goes on and notes who enters it; null: somebody who ends.
    SCHED_ALWAYS_INLINE void* enter_from(Context* left) {
        SCHED_CHECK(where_ != nullptr, "switch to a stack that is running or has ended");
        return std::exchange(where_, left);
    }

    // On the stack of this Context, just entered: notes where the one it came from stopped.
    SCHED_ALWAYS_INLINE void arrive(void* stopped_at) {
        auto* const left = static_cast<Context*>(std::exchange(where_, nullptr));
        fiber_.finish_switch(left != nullptr ? &left->fiber_ : nullptr);
        if (left != nullptr) {
            left->where_ = stopped_at;
        }
    }

    // Prepared or stopped: where to jump to. Running or empty: null. In the middle of a
    // jump to this Context: the Context being left, null when that one ends. One word for both,
    // because the new stack needs the second only when the first has served, and a tasklet is paid
    // for by the byte.
    void* where_ = nullptr;
    void* argument_ = nullptr;
    [[no_unique_address]] sanitizer::Fiber fiber_;
};

}  // namespace scheduler::core
