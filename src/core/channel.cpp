#include "channel.h"

namespace scheduler::core {

bool Channel::cancel_wait(Tasklet& tasklet) {
    {
        LockGuard guard(lock_);
        if (unlink_if_here_locked(tasklet)) {
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
        if (tasklet.posted.empty() || !unlink_if_here_locked(tasklet)) return false;
        manager = &post_locked(tasklet, mail::kError | mail::kWake);
    }
    wake(*manager);
    return true;
}

Waiter* Channel::claim_first_locked(WaitQueue& queue) {
    Waiter* waiter = queue.front();
    while (waiter != nullptr && waiter->is_case) {
        if (static_cast<SelectCase&>(*waiter).wait->claim()) break;
        Waiter* const next = queue.after(waiter);
        unlink_locked(*waiter, queue);
        waiter = next;
    }
    return waiter;
}

Served Channel::serve_case_locked(SelectCase& waiter, Direction direction, Tasklet& self,
                                  Parcel& parcel) {
    Wait& wait = *waiter.wait;
    Tasklet& partner = wait.tasklet;
    unlink_locked(waiter, queue_of(waiter.direction));
    wait.served = &waiter;
    if (direction == Direction::kSend) {
        partner.parcel = std::move(parcel);
    } else {
        take_from_sender_locked(waiter.parcel, parcel);
    }
    Served served{.partner = &partner, .select = &wait};
    if (partner.manager == self.manager) {
        partner.state.leave_queue();
    } else {
        partner.state.leave_queue_to_other_thread();
        served.remote = partner.manager;
        served.remote->add_reference();
        served.mail = caller_yields(direction) ? mail::kWakeFirst : mail::kWake;
    }
    return served;
}

Rendezvous Channel::finish(Served served) {
    if (served.select != nullptr) {
        // Until it is posted, or queued by the caller, the tasklet stays where it is, and its record too.
        for (SelectCase* other : served.select->cases) other->channel.leave(*other);
    }
    if (served.remote == nullptr) return {RendezvousResult::kMatched, served.partner};
    if (served.mail != 0) served.remote->post_silently(*served.partner, served.mail);
    wake(*served.remote);
    return {RendezvousResult::kMatchedRemote, nullptr};
}

// Before its wait is over a case goes only with the stack of a daemon thread that is ended by force.
SelectCase::~SelectCase() {
    if (wait != nullptr) channel.leave(*this);
}

void Channel::leave(SelectCase& waiter) {
    LockGuard guard(lock_);
    if (waiter.linked()) unlink_locked(waiter, queue_of(waiter.direction));
}

Served Channel::serve_first_locked(Direction direction, Tasklet& self, Parcel& parcel) {
    Waiter* const waiter =
        claim_first_locked(direction == Direction::kSend ? receivers_ : senders_);
    return waiter != nullptr ? serve_locked(*waiter, direction, self, parcel) : Served();
}

bool Channel::use_buffer_locked(Direction direction, Parcel& parcel) {
    if (!has_use_for_buffer_locked(direction)) return false;
    if (direction == Direction::kSend) {
        buffer_->push_back(std::move(parcel));
    } else {
        parcel = buffer_->pop_front();
        update_closed_locked();
    }
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
