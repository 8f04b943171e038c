#include "manager.h"

#include <ctime>
#include <utility>

#include "select.h"

namespace scheduler::core {

ScheduleManager::ScheduleManager(const Host& host, Tasklet& main, std::size_t stack_bytes)
    : host_(host), main_(main), current_(&main), stacks_(new StackSupply(stack_bytes)) {
    main.is_main = true;
    main.manager = this;
    main.state.go_on();
}

std::int64_t TimerClock::real_time() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               RunLimit::Clock::now().time_since_epoch())
        .count();
}

// The kernel sets its coarse clock at each tick, so a tick is added.
std::int64_t TimerClock::coarse_time() {
#ifdef CLOCK_MONOTONIC_COARSE
    const auto read = [](auto* function) {
        timespec time{};
        function(CLOCK_MONOTONIC_COARSE, &time);
        return time.tv_sec * kSecond + time.tv_nsec;
    };
    static const std::int64_t tick = read(clock_getres);
    return read(clock_gettime) + tick;
#else
    return real_time();
#endif
}

// ---- mail --------------------------------------------------------------------------------------

Mail ScheduleManager::take_mail() {
    if (unread_ == nullptr) unread_ = inbox_.take_all();
    if (unread_ == nullptr) return {nullptr, 0, 0};
    Tasklet& tasklet = *unread_;
    unread_ = tasklet.mail_next;
    auto bits = static_cast<std::uint16_t>(tasklet.get_mail());
    bool wakes = false;
    bool too_early = false;
    do {
        wakes = (bits & mail::kWakes) != 0;
        // Whoever took it out of the wait queue is still about to post: what was asked before waits for
        // that message, so that the tasklet does not run, and end, behind the poster's back.
        too_early = !wakes && tasklet.get_state() == TaskletState::kInTransit;
    } while (!tasklet.mail.compare_exchange_weak(
        bits, static_cast<std::uint16_t>(too_early ? bits & ~mail::kPosted : 0),
        std::memory_order_acq_rel));
    if (too_early) return {&tasklet, 0, 1};
    Mail message{&tasklet, bits, 1};

    if (wakes && tasklet.get_state() == TaskletState::kInTransit) {
        make_runnable(tasklet, (message.bits & mail::kWakeFirst) != 0);
        trace_ready(tasklet, nullptr);
    }
    if ((message.bits & mail::kRemove) != 0 && !tasklet.has_turn() && take_out(tasklet)) {
        trace_event(TraceKind::kRemoved, &tasklet);
        tasklet.paused = true;
        ++message.references;
    }
    if ((message.bits & mail::kInsert) != 0 && tasklet.alive() && !tasklet.blocked() &&
        insert_for(tasklet, nullptr)) {
        host_.retain(tasklet);
    }
    return message;
}

void ScheduleManager::complete_delivery(Tasklet& tasklet) {
    if (tasklet.get_state() != TaskletState::kInTransit) return;
    const std::uint32_t bits = tasklet.mail.fetch_and(static_cast<std::uint16_t>(~mail::kWakes),
                                                      std::memory_order_acq_rel);
    if ((bits & mail::kWakes) == 0) return;
    make_runnable(tasklet, (bits & mail::kWakeFirst) != 0);
    trace_ready(tasklet, nullptr);
}

// ---- live list ------------------------------------------------------------------------------------

void ScheduleManager::join_live_list(Tasklet& tasklet) {
    LockGuard guard(live_list_lock_);
    live_list_.push_front(tasklet);
}

void ScheduleManager::leave_live_list(Tasklet& tasklet) {
    LockGuard guard(live_list_lock_);
    live_list_.remove(tasklet);
}

Tasklet* ScheduleManager::any_live_tasklet() {
    LockGuard guard(live_list_lock_);
    Tasklet* tasklet = live_list_.front();
    while (tasklet != nullptr && !host_.try_retain(*tasklet)) tasklet = live_list_.after(tasklet);
    return tasklet;
}

bool ScheduleManager::has_live_tasklets() const {
    LockGuard guard(live_list_lock_);
    return !live_list_.empty();
}

// ---- timers ------------------------------------------------------------------------------------

void ScheduleManager::begin_wait(Wait& wait, std::int64_t deadline, std::int64_t time) {
    wait.tasklet.wait = &wait;
    if (deadline == kNever) return;
    if (timers_.empty()) plan_look(time);
    timers_.insert(wait, deadline);
    if (in_event_loop_ && deadline < told_deadline_) wake_event_loop();
}

// Before its wait is over a record goes only with the stack of a daemon thread that is ended by force.
Wait::~Wait() {
    if (tasklet.wait == this) tasklet.manager->end_wait(*this);
}

void ScheduleManager::end_wait(Wait& wait) {
    wait.tasklet.wait = nullptr;
    if (!wait.is_set()) return;
    timers_.remove(wait);
    if (timers_.empty()) turns_to_look_ = kNoLook;
}

void ScheduleManager::plan_look(std::int64_t time) {
    const bool turns_are_long = time - std::exchange(last_look_, time) > kLongTurns;
    turns_to_look_ = turns_are_long ? 1 : kTurnsPerLook;
}

bool ScheduleManager::look_at_clock() {
    const std::int64_t time = clock_.time();
    plan_look(time);
    const bool is_due = next_deadline() <= time;
    if (is_due) turns_to_look_ = 1;
    return is_due;
}

void ScheduleManager::fire_timers() {
    const std::int64_t time = clock_.time();
    while (next_deadline() <= time) {
        auto& wait = static_cast<Wait&>(*timers_.first());
        timers_.remove(wait);
        // Out of the wait queue already: it has been served in time.
        if (!cancel_wait(wait.tasklet)) continue;
        wait.timed_out = true;
        make_runnable(wait.tasklet, false);
        trace_event(TraceKind::kTimer, &wait.tasklet);
    }
    turns_to_look_ = timers_.empty() ? kNoLook : kTurnsPerLook;
}

// ---- event loop --------------------------------------------------------------------------------

void ScheduleManager::set_waker(Waker* waker) {
    return_from_event_loop();
    waker_ = waker;
    told_deadline_ = kNever;
}

bool ScheduleManager::go_to_event_loop() {
    parking_.leave_to(*waker_);
    in_event_loop_ = true;
    if (!has_work()) return true;
    return_from_event_loop();
    return false;
}

// ---- queue -------------------------------------------------------------------------------------

std::size_t ScheduleManager::count_runnables() const {
    std::size_t count = 1;
    for (Tasklet* t = runnables_.front(); t != nullptr; t = runnables_.after(t)) ++count;
    return count;
}

Tasklet* ScheduleManager::next_in_queue(const Tasklet& tasklet) const {
    if (tasklet.is_main) return runnables_.front();
    return tasklet.queued() ? runnables_.after(&tasklet) : nullptr;
}

Tasklet* ScheduleManager::previous_in_queue(const Tasklet& tasklet) const {
    if (tasklet.is_main || !tasklet.queued()) return nullptr;
    return tasklet.prev == runnables_.head() ? &main_ : static_cast<Tasklet*>(tasklet.prev);
}

bool ScheduleManager::insert(Tasklet& tasklet) { return insert_for(tasklet, current_); }

bool ScheduleManager::insert_for(Tasklet& tasklet, const Tasklet* by) {
    if (tasklet.is_main) return false;
    if (tasklet.has_turn()) {
        tasklet.insert_again = true;
        return false;
    }
    if (tasklet.queued() || tasklet.get_state() == TaskletState::kInTransit) return false;
    tasklet.paused = false;
    append(tasklet);
    trace_ready(tasklet, by);
    return true;
}

bool ScheduleManager::insert_behind(Tasklet& place, Tasklet& tasklet) {
    if (tasklet.queued()) return false;
    link_behind(place.queued() ? *node(place) : *runnables_.head()->prev, tasklet);
    trace_ready(tasklet, current_);
    return true;
}

bool ScheduleManager::insert_behind_current(Tasklet& tasklet) {
    const bool was_queued = take_out(tasklet);
    link_behind(*place_of_current(), tasklet);
    if (!was_queued) trace_ready(tasklet, current_);
    return !was_queued;
}

bool ScheduleManager::take_out(Tasklet& tasklet) {
    if (tasklet.is_main || !tasklet.queued()) return false;
    unlink(tasklet);
    return true;
}

// ---- run loops ---------------------------------------------------------------------------------

void ScheduleManager::mark(QueueNode* anchor, Tasklet* last, std::uint32_t change) {
    if (anchor != nullptr && anchor != runnables_.head()) {
        static_cast<Tasklet*>(anchor)->loop_marks.fetch_add(change, std::memory_order_release);
    }
    if (last != nullptr) last->loop_marks.fetch_add(change, std::memory_order_release);
}

void ScheduleManager::open_loop(RunLoop& loop, Tasklet* first) {
    trace_loop(TraceKind::kLoopOpens);
    loop.driver = current_;
    loop.anchor = first != nullptr ? first->prev : node(*current_);
    loop.last = first != nullptr ? runnables_.back() : nullptr;
    // Another thread may have served main already.
    loop.waking = current_ == &main_ && main_.get_state() != TaskletState::kRunning;
    loop.outer = std::exchange(loop_, &loop);
    ++current_->driving;
    mark(loop.anchor, loop.last, 1);
}

void ScheduleManager::open_unwinding(RunLoop& loop, Tasklet& victim) {
    trace_loop(TraceKind::kLoopOpens);
    loop.driver = current_;
    loop.unwinding = &victim;
    loop.outer = std::exchange(loop_, &loop);
    ++current_->driving;
}

void ScheduleManager::open_turn(RunLoop& loop, Tasklet& only) {
    trace_loop(TraceKind::kLoopOpens);
    loop.driver = current_;
    loop.last = &only;
    loop.outer = std::exchange(loop_, &loop);
    ++current_->driving;
    mark(nullptr, loop.last, 1);
}

void ScheduleManager::close_loop(RunLoop& loop) {
    SCHED_CHECK(loop_ == &loop && current_ == loop.driver, "run loops do not nest");
    mark(loop.anchor, loop.last, static_cast<std::uint32_t>(-1));
    --current_->driving;
    loop_ = loop.outer;
    trace_loop(TraceKind::kLoopCloses);
    if (in_event_loop_ && (!queue_empty() || next_deadline() < told_deadline_)) wake_event_loop();
}

void ScheduleManager::fail_loop_of(const Tasklet& driver) {
    RunLoop* loop = loop_;
    while (loop != nullptr && (loop->driver != &driver || loop->unwinding != nullptr)) {
        loop = loop->outer;
    }
    if (loop == nullptr) return;
    mark(std::exchange(loop->anchor, nullptr), nullptr, static_cast<std::uint32_t>(-1));
    loop->failed = true;
}

EndOfTurn ScheduleManager::finish_unstarted(Tasklet& tasklet, bool silently) {
    unlink(tasklet);
    tasklet.state.die();
    tasklet.insert_again = false;
    trace_event(TraceKind::kDied, &tasklet);
    if (loop_->driver == &main_) limit_.charge_turn();
    if (silently) ++completed_;
    return {!ends_loop(tasklet), &tasklet};
}

void ScheduleManager::detach_from_loops(Tasklet& tasklet) {
    if (tasklet.loop_marks.load(std::memory_order_acquire) == 0) return;
    for (RunLoop* loop = loop_; loop != nullptr; loop = loop->outer) {
        if (loop->anchor == &tasklet) loop->anchor = nullptr;
        if (loop->last == &tasklet) loop->last = nullptr;
    }
    tasklet.loop_marks = 0;
}

void ScheduleManager::finish() {
    finished_.store(true, std::memory_order_release);
    Tasklet* rest = inbox_.close();
    if (unread_ == nullptr) {
        unread_ = rest;
        return;
    }
    Tasklet* last = unread_;
    while (last->mail_next != nullptr) last = last->mail_next;
    last->mail_next = rest;
}

void ScheduleManager::free_stacks() {
    if (stacks_->in_use() == 0) {
        stacks_.reset();
    } else {
        static_cast<void>(stacks_.release());
    }
}

}  // namespace scheduler::core
