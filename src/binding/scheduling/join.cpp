#include "binding/scheduling/join.h"
#include "binding/scheduling/enter.h"

#include <memory>
#include <utility>

#include "binding/python/errors.h"
#include "binding/scheduling/timed_wait.h"
#include "core/channel.h"

namespace scheduler::binding {

namespace {

using core::Channel;
using core::Direction;
using core::Parcel;
using core::Rendezvous;
using core::RendezvousResult;

// Waits in the wait queue, which the current tasklet is to enter. False with an error set.
bool wait_in(ManagerBody& manager, Channel& queue, Parcel* outcome) {
    TaskletBody& self = manager.current_body();
    self.asks = outcome != nullptr;
    if (queue.rendezvous(Direction::kReceive, self, true).result == RendezvousResult::kClosing)
        return true;
    const bool resumed = manager.suspend(core::Ending::kBlock);
    const bool served = !self.parcel.empty();
    Parcel got = std::move(self.parcel);
    // The failure of a tasklet is main's to raise: nothing that was handed over is lost by it.
    const bool is_failure = self.is_main && !manager.interrupted;
    const bool succeeds = resumed || (served && !is_failure && manager.held_error.hold());
    if (succeeds && outcome != nullptr) {
        *outcome = std::move(got);
        return true;
    }
    manager.defer_decref(static_cast<PyObject*>(got.take_payload()));
    ErrorStash stash;
    manager.run_deferred();
    return succeeds;
}

}  // namespace

Channel& join_queue_of(TaskletBody& tasklet) {
    Channel* queue = tasklet.joiners.load();
    if (queue != nullptr) return *queue;
    auto made = std::make_unique<Channel>(tasklet.object);
    made->set_preference(Channel::kPreferNeither);
    // Another thread may be joining it as well.
    if (tasklet.joiners.compare_exchange_strong(queue, made.get())) return *made.release();
    return *queue;
}

bool check_can_end_first(const ManagerBody& manager, const TaskletBody& tasklet) {
    if (&tasklet == &manager.current()) {
        refuse(Refusal::kJoinSelf);
    } else if (tasklet.is_main && tasklet.manager == &manager) {
        refuse(Refusal::kJoinOwnMain);
    } else {
        return true;
    }
    return false;
}

int join(TaskletBody& tasklet, std::int64_t timeout, Parcel* outcome) {
    ManagerBody* manager = enter_to_switch(tasklet.module_state);
    if (manager == nullptr) return -1;
    TaskletBody& self = manager->current_body();
    if (!tasklet.alive()) return 1;
    if (!check_can_end_first(*manager, tasklet)) return -1;
    if (timeout == 0) return 0;
    if (!manager->check_obstacle(manager->find_obstacle(WaitFor::kJoin))) return -1;

    PyRef keep = PyRef::share(tasklet.object);
    Channel& queue = join_queue_of(tasklet);
    // It may have died before it could see the wait queue.
    if (tasklet.state.get(std::memory_order_seq_cst) == core::TaskletState::kDead) return 1;
    TimedWait wait(*manager, self, timeout);
    const bool waited = wait_in(*manager, queue, outcome);
    wait.end();
    if (waited && wait.ended_by_scope()) {
        wait.raise_scope_expired();
        return -1;
    }
    if (!waited) return -1;
    return wait.timed_out ? 0 : 1;
}

void ManagerBody::release_joiners(TaskletBody& tasklet, bool serve_own) {
    Channel* const queue = tasklet.joiners.load(std::memory_order_seq_cst);
    if (queue == nullptr) return;
    queue->close();
    for (;;) {
        Parcel served = tasklet.outcome_parcel();
        const Rendezvous match = queue->rendezvous(Direction::kSend, tasklet, served, false);
        if (match.result == RendezvousResult::kWouldBlock) {
            // Nobody has taken it, and it is not the last reference.
            // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move)
            Py_XDECREF(static_cast<PyObject*>(served.take_payload()));
            return;
        }
        if (match.result != RendezvousResult::kMatched || !serve_own) continue;
        make_runnable(*match.partner, false);
        if (core::TraceBuffer* const buffer = trace()) {  // as the turn of `tasklet` ends
            buffer->write_at(buffer->last_time(), core::TraceKind::kReady, match.partner, &tasklet);
        }
    }
}

void delete_join_queue(TaskletBody& tasklet) {
    Channel* const queue = tasklet.joiners.load();
    if (queue == nullptr) return;
    {
        // Whoever follows Tasklet::channel of one that waited here does it under this lock.
        core::LockGuard guard(tasklet.module_state.registry_lock);
    }
    delete queue;
}

}  // namespace scheduler::binding
