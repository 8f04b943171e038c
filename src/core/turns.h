// The path of a yield, inline: the end of one turn and the beginning of the next. Part of manager.h.
#pragma once

#include "manager.h"

namespace scheduler::core {

SCHED_ALWAYS_INLINE Turn ScheduleManager::next_turn() const {
    const RunLoop& loop = *loop_;
    const QueueNode* anchor = loop.anchor;
    const bool from_main = anchor == runnables_.head();
    if (!from_main && (anchor == nullptr || !static_cast<const Tasklet*>(anchor)->queued())) {
        return {Turn::Kind::kLoopEnds, nullptr};
    }
    Tasklet* next = runnables_.after(anchor);
    if (next == nullptr || next == loop.driver || (loop.driver == &main_ && limit_.has_run_out())) {
        return {Turn::Kind::kLoopEnds, nullptr};
    }
    if (next->driving != 0) return {Turn::Kind::kIsAncestor, next};
    if (trap_level_ != 0) return {Turn::Kind::kTrapped, next};
    return {Turn::Kind::kGive, next};
}

SCHED_ALWAYS_INLINE void ScheduleManager::make_runnable(Tasklet& partner, bool first) {
    if (partner.is_main) {
        partner.state.go_on();
        return;
    }
    partner.state.arrive();
    if (first) {
        link_behind(*place_of_current(), partner);
    } else {
        append(partner);
    }
}

SCHED_ALWAYS_INLINE void ScheduleManager::prefetch_behind(const Tasklet& next) const {
    if (runnables_.size() < kCachedTasklets) return;
    const QueueNode* const second = next.next;
    if (second == nullptr || second == runnables_.head()) return;
    const auto& behind = *static_cast<const Tasklet*>(second);
    behind.context.prefetch();
    prefetch_lines(behind.prefetch_hint, 3);
    prefetch_lines(second->next, 4);
}

SCHED_ALWAYS_INLINE void ScheduleManager::begin_turn(Tasklet& tasklet, std::int64_t time) {
    if (loop_->unwinding == nullptr) {
        if (loop_->driver == &main_) limit_.charge_turn();
        ++tasklet.times_switched_to;
    }
    if (tasklet.get_state() == TaskletState::kNew) tasklet.start_time = time != 0 ? time : now();
    ++switched_;
    tasklet.paused = false;
    tasklet.state.start_turn();
    current_ = &tasklet;
}

SCHED_ALWAYS_INLINE EndOfTurn ScheduleManager::end_turn(Ending how) {
    Tasklet& tasklet = *current_;
    Tasklet& driver = *loop_->driver;
    const bool again = tasklet.insert_again;
    tasklet.insert_again = false;
    current_ = &driver;
    ++switched_;
    Tasklet* left = nullptr;
    switch (how) {
        case Ending::kRequeue:
            tasklet.state.end_turn();
            runnables_.move_to_back(tasklet);
            break;
        case Ending::kRequeueBehindNext: {
            tasklet.state.end_turn();
            // A driver that is being unwound has no place: then behind the one that stands behind.
            QueueNode* place = driver.queued() ? node(driver) : tasklet.prev;
            unlink(tasklet);
            if (place->next != runnables_.head()) place = place->next;
            link_behind(*place, tasklet);
            break;
        }
        case Ending::kLeave:
            tasklet.state.end_turn();
            if (again) {
                tasklet.paused = false;
                runnables_.move_to_back(tasklet);
            } else {
                unlink(tasklet);
                tasklet.paused = true;
                left = &tasklet;
            }
            break;
        case Ending::kBlock:  // perhaps even served and queued again, by mail of another thread
            break;
        case Ending::kReturn:
        case Ending::kFail:
            tasklet.state.die();
            if (tasklet.in_runnables) {  // not when it is unwound
                unlink(tasklet);
                left = &tasklet;
            }
            break;
    }
    if (how < Ending::kReturn) {
        ++driver.times_switched_to;
        driver.paused = false;
    }
    if (how != Ending::kFail) ++completed_;
    return {!ends_loop(tasklet), left};
}

SCHED_ALWAYS_INLINE Tasklet* ScheduleManager::pass_turn(Ending how) {
    if (loop_ == nullptr) return nullptr;  // main
    Tasklet& self = *current_;
    const RunLoop& loop = *loop_;
    // A loop that unwinds has no anchor.
    if (loop.anchor != runnables_.head() || loop.last == &self || driver_is_served() ||
        limit_.is_set()) {
        return nullptr;
    }
    SCHED_DCHECK(trap_level_ == 0, "a turn is passed although a trap is set");
    QueueNode* place = runnables_.head()->next;
    if (place == &self) {
        if (how == Ending::kBlock) return nullptr;  // served already
        place = self.next;
    }
    Tasklet* const next = runnables_.at(place);
    if (next == nullptr || next->get_state() != TaskletState::kReady) return nullptr;
    SCHED_DCHECK(next->driving == 0, "the driver of a run loop is not running");

    self.insert_again = false;
    if (how == Ending::kRequeue) {
        self.state.end_turn();
        runnables_.move_to_back(self);
    }
    Tasklet& driver = *loop.driver;
    ++driver.times_switched_to;
    driver.paused = false;
    ++completed_;
    switched_ += 2;  // to the driver and on
    ++next->times_switched_to;
    next->paused = false;
    next->state.start_turn();
    current_ = next;
    return next;
}

}  // namespace scheduler::core
