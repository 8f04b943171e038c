// What keeps the current tasklet from giving control away, and from waiting: the rules for all who do.

#include <utility>

#include "binding/diagnostics/snapshot.h"
#include "binding/python/errors.h"
#include "binding/scheduling/manager_body.h"
#include "binding/scheduling/timed_wait.h"

namespace scheduler::binding {

namespace {

// How often a tasklet that is being unwound may try to suspend before it is given up.
constexpr int kUnwindingTries = 100;

}  // namespace

bool ManagerBody::check_can_switch() {
    if (switching) {
        refuse(Refusal::kInCallback);
        return false;
    }
    if (unwinding_current()) {
        if (++loop()->unwinding_tries > kUnwindingTries) abandon_current();
        PyErr_SetNone(state.tasklet_exit);
        return false;
    }
    if (trap_level() != 0) {
        refuse(Refusal::kSwitchTrap);
        return false;
    }
    return true;
}

bool ManagerBody::check_nothing_pending() {
    TaskletBody& self = current_body();
    return self.raise_taken(std::move(self.pending));
}

Obstacle ManagerBody::find_obstacle(WaitFor wait) const {
    const TaskletBody& self = current_body();
    if (self.pending) return Obstacle::kPending;
    if (self.is_in_scope() && self.scope_deadline() <= clock().time())
        return Obstacle::kScopeExpired;
    return find_lasting_obstacle(wait);
}

Obstacle ManagerBody::find_lasting_obstacle(WaitFor wait) const {
    const TaskletBody& self = current_body();
    if (wait != WaitFor::kJoin && self.block_trap) return Obstacle::kBlockTrap;
    if (self.is_main && main_refusal) return Obstacle::kMainMustNotWait;
    if (wait == WaitFor::kTransfer && self.is_main && self.scope_deadline() == core::kNever &&
        !may_main_wait()) {
        return Obstacle::kDeadlock;
    }
    if (ending && !unwinding_current()) return Obstacle::kThreadEnding;
    return can_switch() ? Obstacle::kNone : Obstacle::kNoSwitch;
}

bool ManagerBody::check_main_may_wait() const {
    if (main_refusal) PyErr_SetObject(PyExc_RuntimeError, main_refusal.get());
    return !main_refusal;
}

bool ManagerBody::check_obstacle(Obstacle obstacle) {
    switch (obstacle) {
        case Obstacle::kPending:
            return check_nothing_pending();
        case Obstacle::kScopeExpired:
            raise_expired(current_body());
            return false;
        case Obstacle::kBlockTrap:
            refuse(Refusal::kBlockTrap);
            return false;
        case Obstacle::kMainMustNotWait:
            return check_main_may_wait();
        case Obstacle::kDeadlock:
            refuse_deadlock(*this);
            return false;
        case Obstacle::kThreadEnding:
            refuse(Refusal::kThreadEnding);
            return false;
        case Obstacle::kNoSwitch:
            return check_can_switch();
        case Obstacle::kNone:
            break;
    }
    return true;
}

}  // namespace scheduler::binding
