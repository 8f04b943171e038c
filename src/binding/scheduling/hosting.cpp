#include "binding/scheduling/hosting.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "binding/scheduling/enter.h"
#include "binding/scheduling/run.h"
#include "binding/scheduling/target.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

void LoopWaker::wake() {
    if (function != nullptr) return function(data);
    const std::uint64_t one = 1;
    // It fails if there is no room: then there is something to read as well.
    [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

bool check_waker_fd(int fd) {
    const int flags = fd >= 0 ? ::fcntl(fd, F_GETFL) : 0;
    if (fd < 0) {
        PyErr_SetString(PyExc_ValueError, "the waker is a file descriptor, which is 0 or more");
    } else if (flags < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
    } else if ((flags & O_ACCMODE) == O_RDONLY) {
        PyErr_SetString(PyExc_ValueError,
                        "the waker is open for reading only: give an eventfd, or the end of a pipe "
                        "that is written to");
    } else if ((flags & O_NONBLOCK) == 0) {
        PyErr_SetString(PyExc_ValueError,
                        "the waker may block, which would stop the threads that write to it: "
                        "os.set_blocking(fd, False) first");
    } else {
        return true;
    }
    return false;
}

void ManagerBody::replace_waker(const LoopWaker& waker) {
    set_waker(nullptr);  // from here on nobody uses the present one
    loop_waker = waker;
    if (!waker.is_set()) return;
    set_waker(&loop_waker);
    if (!pumping) go_to_event_loop_or_wake();
}

bool set_waker(ModuleState& state, const LoopWaker& waker, LoopWaker::Kind kind, int* previous_fd) {
    ManagerBody* manager = manager_of_this_thread(state);
    if (manager == nullptr) return false;
    if (!manager->loop_waker.is(kind)) return refused(Refusal::kOtherWaker);
    if (previous_fd != nullptr) *previous_fd = manager->loop_waker.fd;
    manager->replace_waker(waker);
    return true;
}

double tell_next_deadline(ModuleState& state) {
    ManagerBody* const manager = existing_manager_of_this_thread(state);
    const double never = std::numeric_limits<double>::infinity();
    if (manager == nullptr) return never;
    const std::int64_t deadline =
        manager->current_is_main() ? manager->tell_next_deadline() : manager->next_deadline();
    if (deadline == core::kNever) return never;
    const std::int64_t left = std::max<std::int64_t>(deadline - manager->clock().time(), 0);
    return static_cast<double>(left) / static_cast<double>(core::kSecond);
}

namespace {

bool run_some(ManagerBody& manager, std::int64_t turns, std::int64_t nanoseconds) {
    if (manager.has_timers()) manager.fire_timers();
    if (turns == core::kNever && nanoseconds == core::kNever) {
        turns = static_cast<std::int64_t>(manager.run_count()) - 1;
    }
    if (turns == 0) return true;
    return run_queue_limited(manager, [=](core::RunLimit& limit) {
        const auto number = static_cast<std::uint64_t>(turns);
        if (nanoseconds == core::kNever) return limit.set_turns(number);
        limit.set_time(std::chrono::nanoseconds(nanoseconds), number);
    });
}

}  // namespace

int pump(ModuleState& state, std::int64_t turns, std::int64_t nanoseconds) {
    ManagerBody* manager = enter_to_switch(state);
    if (manager == nullptr) return -1;
    if (!manager->current_is_main()) {
        refuse(Refusal::kOnlyMainPumps);
        return -1;
    }
    manager->return_from_event_loop();
    // Not in a pump already, whose end runs the code that calls this one?
    const bool is_outermost = !std::exchange(manager->pumping, true);
    const bool ok = run_some(*manager, turns, nanoseconds);
    if (ok) manager->catch_up_with_mail();
    if (is_outermost) manager->pumping = false;
    const bool goes = is_outermost && manager->waker() != nullptr;
    if (!ok) {
        if (goes) manager->go_to_event_loop_or_wake();
        return -1;
    }
    const bool has_more = goes ? !manager->go_to_event_loop() : manager->has_work();
    return has_more ? 1 : 0;
}

}  // namespace scheduler::binding
