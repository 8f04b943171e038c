// What other threads ask of the tasklets of this one.

#include "binding/scheduling/manager_body.h"
#include "binding/threads/park.h"

#include "core/select.h"

namespace scheduler::binding {

void ManagerBody::read_mail() {
    while (has_mail()) {
        core::Mail message = take_mail();
        if (message.tasklet == nullptr) return;
        TaskletBody& tasklet = body_of(*message.tasklet);
        if ((message.bits & core::mail::kError) != 0) {
            const core::PostedError::Content posted = tasklet.posted.take();
            PyRef error = error_in(posted);
            if (error)
                trace_event(core::TraceKind::kThrown, &tasklet, nullptr, posted.kills ? 1 : 0);
            if (error) make_pending(tasklet, std::move(error), posted.kills);
        }
        if ((message.bits & (core::mail::kUnwind | core::mail::kUnwindCycle)) != 0) {
            const bool in_cycle = (message.bits & core::mail::kUnwindCycle) != 0;
            unwind_later(Py_NewRef(tasklet.object), in_cycle);
        }
        for (; message.references > 0; --message.references) defer_decref(tasklet.object);
    }
}

ManagerBody* ManagerBody::catch_up_with_mail() {
    // run_deferred() may run Python, during which more mail may come.
    while (!switching && has_mail()) {
        read_mail();
        run_deferred();
    }
    return this;
}

bool ManagerBody::cancel_wait(TaskletBody& tasklet) {
    if (core::cancel_wait(tasklet)) return true;
    await_delivery(tasklet);
    return false;
}

void ManagerBody::await_delivery(TaskletBody& tasklet) {
    const auto is_away = [&tasklet] {
        const core::TaskletState current_state = tasklet.get_state();
        // Out of the wait queue, and not yet marked as in transit.
        const bool is_out = tasklet.wait != nullptr && tasklet.wait->is_select()
                                ? tasklet.wait->claimed.load()
                                : tasklet.channel.load() == nullptr;
        const bool leaves = current_state == core::TaskletState::kBlocked && is_out;
        return leaves || current_state == core::TaskletState::kInTransit;
    };
    while (is_away()) {
        wait_for_others([this] { return has_mail(); });
        read_mail();
    }
}

}  // namespace scheduler::binding
