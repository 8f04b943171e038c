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
    const auto bits = caller_yields(direction) ? mail::kWakeFirst : mail::kWake;
    const Served served = end_case_locked(waiter, *self.manager, bits);
    if (direction == Direction::kSend) {
        served.partner->parcel = std::move(parcel);
    } else {
        take_from_sender_locked(waiter.parcel, parcel);
    }
    return served;
}

Served Channel::end_case_locked(SelectCase& waiter, const ScheduleManager& here,
                                std::uint32_t mail) {
    Wait& wait = *waiter.wait;
    Tasklet& partner = wait.tasklet;
    unlink_locked(waiter, queue_of(waiter.direction));
    wait.served = &waiter;
    Served served{.partner = &partner, .select = &wait};
    if (partner.manager == &here) {
        partner.state.leave_queue();
    } else {
        partner.state.leave_queue_to_other_thread();
        served.remote = partner.manager;
        served.remote->add_reference();
        served.mail = mail;
    }
    return served;
}

Served Channel::release_locked(Waiter& waiter, WaitQueue& queue, const ScheduleManager& here) {
    if (waiter.is_case) {
        auto& one = static_cast<SelectCase&>(waiter);
        if (one.wait->claim()) return end_case_locked(one, here, mail::kWake);
        unlink_locked(waiter, queue);
        return {};
    }
    auto& tasklet = static_cast<Tasklet&>(waiter);
    unlink_locked(tasklet, queue);
    if (tasklet.manager != &here) {
        return {.partner = &tasklet, .remote = &post_locked(tasklet, mail::kWake)};
    }
    tasklet.state.leave_queue();
    return {.partner = &tasklet};
}

std::size_t Channel::close_and_release(const ScheduleManager& here, std::span<Served> released) {
    LockGuard guard(lock_);
    const std::size_t count = senders_.size() + receivers_.size();
    if (count > released.size()) return count;
    closing_ = released_ = true;
    update_closed_locked();
    std::size_t done = 0;
    for (WaitQueue* queue : {&senders_, &receivers_}) {
        while (Waiter* const waiter = queue->front()) {
            released[done++] = release_locked(*waiter, *queue, here);
        }
    }
    return count;
}

Rendezvous Channel::finish(Served served) {
    if (served.select != nullptr) {
        // Until it is posted, or queued by the caller, the tasklet stays where it is, and its record too.
        for (SelectCase* other : served.select->cases) other->channel.leave(*other);
    }
    if (served.remote == nullptr) return {RendezvousResult::kMatched, served.partner};
    if (served.mail != 0) served.remote->post_silently(*served.partner, served.mail);
    wake(*served.remote);
    return {RendezvousResult::kMatchedRemote, served.partner};
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
    closing_ = closed_ = released_ = false;
}

bool Channel::closing() const {
    LockGuard guard(lock_);
    return closing_;
}

bool Channel::closed() const {
    LockGuard guard(lock_);
    return closed_;
}

bool Channel::released() const {
    LockGuard guard(lock_);
    return released_;
}

}  // namespace scheduler::core
