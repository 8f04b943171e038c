#include "joining.h"

#include <memory>
#include <utility>

#include "channel_object.h"
#include "core/channel.h"
#include "errors.h"
#include "held_error.h"
#include "operations.h"
#include "switcher.h"
#include "waiting.h"

namespace scheduler::binding {

namespace {

using core::Channel;
using core::Direction;
using core::kNever;
using core::Match;
using core::Meeting;
using core::Parcel;

Channel& line_of(TaskletBody& tasklet) {
    Channel* line = tasklet.joiners.load();
    if (line != nullptr) return *line;
    auto made = std::make_unique<Channel>(tasklet.object);
    made->set_preference(Channel::kPreferNeither);
    // Another thread may be joining it as well.
    if (tasklet.joiners.compare_exchange_strong(line, made.get())) return *made.release();
    return *line;
}

bool can_end_first(const ManagerBody& manager, const TaskletBody& tasklet) {
    if (&tasklet == &manager.current()) {
        refuse(Refusal::kJoinSelf);
    } else if (tasklet.is_main && tasklet.manager == &manager) {
        refuse(Refusal::kJoinOwnMain);
    } else {
        return true;
    }
    return false;
}

bool may_wait(ManagerBody& manager) {
    if (!nothing_pending(manager)) return false;
    if (manager.ending && !manager.unwinding_current()) {
        refuse(Refusal::kThreadEnding);
        return false;
    }
    return !would_be_refused(manager) || may_switch(manager);
}

// Waits in the line, which the current tasklet is to join. False with an error set.
bool wait_in(ManagerBody& manager, Channel& line) {
    TaskletBody& self = manager.current_body();
    if (line.meet(Direction::kReceive, self, true).meeting == Meeting::kClosing) return true;
    const bool resumed = suspend(manager, core::Ending::kBlock);
    const bool served = !self.parcel.empty();
    self.parcel.take_payload();
    // The failure of a tasklet is main's to raise: nothing that was handed over is lost by it.
    const bool is_failure = self.is_main && !manager.interrupted;
    if (resumed || (served && !is_failure && hold_error(manager))) return true;
    ErrorStash stash;
    manager.settle();
    return false;
}

}  // namespace

int join(TaskletBody& tasklet, std::int64_t timeout) {
    ManagerBody* manager = enter_to_switch(tasklet.module_state);
    if (manager == nullptr) return -1;
    TaskletBody& self = manager->current_body();
    if (!tasklet.alive()) return 1;
    if (!can_end_first(*manager, tasklet)) return -1;
    if (timeout == 0) return 0;
    if (!may_wait(*manager)) return -1;

    PyRef keep = PyRef::share(tasklet.object);
    Channel& line = line_of(tasklet);
    // It may have died before it could see the line.
    if (tasklet.state.load(std::memory_order_seq_cst) == core::State::kDead) return 1;
    self.timed_out = false;
    if (timeout != kNever) manager->set_timer(self, deadline_after(timeout));
    const bool waited = wait_in(*manager, line);
    if (self.deadline != kNever) manager->cancel_timer(self);
    if (!waited) return -1;
    return std::exchange(self.timed_out, false) ? 0 : 1;
}

void release_joiners(ManagerBody& manager, TaskletBody& tasklet, bool serve_own) {
    Channel* const line = tasklet.joiners.load(std::memory_order_seq_cst);
    if (line == nullptr) return;
    line->close();
    for (;;) {
        Parcel served(Parcel::Kind::kValue, nullptr);
        const Match match = line->meet(Direction::kSend, tasklet, served, false);
        if (match.meeting == Meeting::kMustWait) {
            served.take_payload();
            return;
        }
        if (match.meeting == Meeting::kMet && serve_own) manager.welcome(*match.partner, false);
    }
}

void delete_joiners_line(TaskletBody& tasklet) {
    Channel* const line = tasklet.joiners.load();
    if (line == nullptr) return;
    {
        // Whoever follows Tasklet::channel of one that waited here does it under this lock.
        core::LockGuard guard(tasklet.module_state.registry_lock);
    }
    delete line;
}

}  // namespace scheduler::binding
