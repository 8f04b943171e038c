#include "channel.h"

#include "manager.h"

namespace scheduler::core {

Match Channel::meet(Direction direction, Tasklet& self, bool may_join) {
    LockGuard guard(lock_);
    const bool sending = direction == Direction::kSend;
    Tasklet* partner = waiting_.front();
    if (partner == nullptr || senders_ == sending) {
        if (!may_join) return {Meeting::kMustWait, nullptr};
        if (closing_) return {Meeting::kClosing, nullptr};
        self.manager->leave_queue_to_wait(self);
        self.channel = this;
        self.set_state(State::kBlocked);
        senders_ = sending;
        waiting_.push_back(self);
        return {Meeting::kJoined, nullptr};
    }

    unlink_locked(*partner);
    if (sending) {
        partner->parcel = std::move(self.parcel);
    } else {
        self.parcel = std::move(partner->parcel);
    }
    if (partner->manager == self.manager) {
        partner->set_state(State::kReady);
        return {Meeting::kMet, partner};
    }
    partner->set_state(State::kInTransit);
    partner->manager->post(*partner,
                           caller_yields(direction) ? mail::kWakeFirst : mail::kWake);
    return {Meeting::kMetAbroad, nullptr};
}

bool Channel::unlink_locked(Tasklet& tasklet) {
    if (tasklet.get_state() != State::kBlocked || tasklet.channel != this) return false;
    waiting_.remove(tasklet);
    tasklet.channel = nullptr;
    update_closed_locked();
    return true;
}

bool Channel::withdraw(Tasklet& tasklet) {
    LockGuard guard(lock_);
    if (!unlink_locked(tasklet)) return false;
    tasklet.set_state(State::kReady);
    return true;
}

bool Channel::evict(Tasklet& tasklet, std::uint32_t bits) {
    LockGuard guard(lock_);
    if (!unlink_locked(tasklet)) return false;
    tasklet.set_state(State::kInTransit);
    tasklet.manager->post(tasklet, bits | mail::kWake);
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
