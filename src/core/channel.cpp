#include "channel.h"

namespace scheduler::core {

bool Channel::cancel_wait(Tasklet& tasklet) {
    {
        LockGuard guard(lock_);
        if (unlink_locked(tasklet)) {
            tasklet.state.leave_queue();
            return true;
        }
    }
    tasklet.manager->complete_delivery(tasklet);
    return false;
}

bool Channel::cancel_remote_wait(Tasklet& tasklet) {
    ScheduleManager* manager = nullptr;
    {
        LockGuard guard(lock_);
        // Under the lock: whoever takes the error cannot take the tasklet out of the wait queue as well.
        if (tasklet.posted.empty() || !unlink_locked(tasklet)) return false;
        manager = &post_locked(tasklet, mail::kError | mail::kWake);
    }
    wake(*manager);
    return true;
}

int Channel::balance() const {
    LockGuard guard(lock_);
    return balance_locked();
}

void Channel::close() {
    LockGuard guard(lock_);
    closing_ = true;
    update_closed_locked();
}

void Channel::open() {
    LockGuard guard(lock_);
    closing_ = closed_ = false;
}

bool Channel::closing() const {
    LockGuard guard(lock_);
    return closing_;
}

bool Channel::closed() const {
    LockGuard guard(lock_);
    return closed_;
}

}  // namespace scheduler::core
