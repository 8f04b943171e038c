#include "binding/threads/mail.h"
#include "binding/scheduling/kill_throw.h"

#include "core/channel.h"

namespace scheduler::binding {

void read_mail(ManagerBody& manager) {
    while (manager.has_mail()) {
        core::Mail message = manager.take_mail();
        if (message.tasklet == nullptr) return;
        TaskletBody& tasklet = body_of(*message.tasklet);
        if ((message.bits & core::mail::kError) != 0) {
            const core::PostedError::Content posted = tasklet.posted.take();
            PyRef error = error_in(posted);
            if (error) make_pending(manager, tasklet, std::move(error), posted.kills);
        }
        if ((message.bits & (core::mail::kUnwind | core::mail::kUnwindCycle)) != 0) {
            const bool in_cycle = (message.bits & core::mail::kUnwindCycle) != 0;
            manager.unwind_later(Py_NewRef(tasklet.object), in_cycle);
        }
        for (; message.references > 0; --message.references) manager.defer_decref(tasklet.object);
    }
}

bool cancel_wait(ManagerBody& manager, TaskletBody& tasklet) {
    core::Channel* const channel = tasklet.channel.load();
    if (channel != nullptr && channel->cancel_wait(tasklet)) return true;
    await_delivery(manager, tasklet);
    return false;
}

void await_delivery(ManagerBody& manager, TaskletBody& tasklet) {
    const auto is_away = [&tasklet] {
        const core::TaskletState state = tasklet.get_state();
        // Out of the wait queue, and not yet marked as in transit.
        const bool leaves =
            state == core::TaskletState::kBlocked && tasklet.channel.load() == nullptr;
        return leaves || state == core::TaskletState::kInTransit;
    };
    while (is_away()) {
        wait_for_others(manager, [&manager] { return manager.has_mail(); });
        read_mail(manager);
    }
}

}  // namespace scheduler::binding
