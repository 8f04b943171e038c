// The schedule manager: the scheduling state of one thread.
//
// It decides and keeps the books; the host acts. A decision is a small value (who gets the next
// turn, does the loop go on), and the host runs callbacks, swaps its own state and jumps. The host is
// called back by way of the four functions of Host alone: three of them count references, the fourth
// frees a manager.
//
// Invariants
//  1. Every tasklet in the runnables queue is kNew, kReady or kRunning, and the queue owns one
//     reference to it. Main is never linked: the queue's head stands for it.
//  2. The current tasklet has its turn in the innermost run loop; the driver of that loop has its
//     turn in the loop around it, and so on out to main, which is in no loop.
//  3. A tasklet that is in no queue and no wait queue is kept alive by its users alone.
//
// Threads: a manager belongs to the thread that made it. Other threads may call what is marked "any
// thread"; everything else is for the owner thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "atomic.h"
#include "inbox.h"
#include "lock.h"
#include "parking.h"
#include "run_loop.h"
#include "stack_supply.h"
#include "tasklet.h"
#include "timer_clock.h"
#include "timers.h"
#include "trace.h"
#include "wait.h"

namespace scheduler::core {

// What the core needs of whoever embeds it, and all that it calls there. None of these may call the
// core, but for the destructor of the manager.
struct Host {
    // Adds a reference to a tasklet. Called with locks held: it must only count.
    void (*retain)(Tasklet& tasklet);
    // The same, unless the last reference is gone and another thread is about to destroy it: false.
    bool (*try_retain)(Tasklet& tasklet);
    // Takes back one that was added. It is never the last.
    void (*unretain)(Tasklet& tasklet);
    // The last reference to a manager is gone: free it.
    void (*destroy)(ScheduleManager& manager);
};

// How a turn ended.
enum class Ending : std::uint8_t {
    kRequeue,  // to the end of the queue
    kBlock,  // in the wait queue of a channel already
    kRequeueBehindNext,  // behind the one that goes next (flat mode)
    kLeave,  // out of the queue, paused
    kReturn,  // dead, silently
    kFail,  // dead, of an exception that goes to the driver
};

struct EndOfTurn {
    bool loop_goes_on;
    Tasklet* left;  // left the queue for good; the caller owns the queue's reference now
};

struct Turn {
    enum class Kind : std::uint8_t {
        kGive,  // give `tasklet` its turn
        kLoopEnds,  // nothing more to do: back to the driver
        kIsAncestor,  // the next entry is itself waiting for this loop to end
        kTrapped,  // a switch trap is set
    };
    Kind kind;
    Tasklet* tasklet;
};

struct Mail {
    Tasklet* tasklet;  // nullptr: no mail
    std::uint32_t bits;  // mail::kError, kUnwind and kUnwindCycle are for the caller to act on
    int references;  // how many references to the tasklet the caller must drop afterwards
};

class ScheduleManager {
  public:
    // `main` must outlive the manager.
    ScheduleManager(const Host& host, Tasklet& main, std::size_t stack_bytes);
    ScheduleManager(const ScheduleManager&) = delete;
    ScheduleManager& operator=(const ScheduleManager&) = delete;

    // ---- any thread
    void add_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop_reference() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) host_.destroy(*this);
    }
    // Asks something of a tasklet of this thread, to which the caller holds a reference, and wakes the
    // thread. False: the thread has ended. True: it is read, or the thread ends at this moment: one who
    // finds the tasklet posted relies on the first poster, who may come too late.
    bool post(Tasklet& tasklet, std::uint32_t bits) {
        const bool posted = post_silently(tasklet, bits);
        wake();
        return posted;
    }
    // The same for a caller who holds a lock: wake() must follow when that is released.
    bool post_silently(Tasklet& tasklet, std::uint32_t bits);
    // The thread goes on if it is parked.
    void wake() { parking_.notify(); }
    bool finished() const { return finished_.load(std::memory_order_acquire); }
    SCHED_ALWAYS_INLINE bool has_mail() const { return unread_ != nullptr || !inbox_.empty(); }

    // The live list names every live tasklet, so that a thread which ends finds them all.
    void join_live_list(Tasklet& tasklet) SCHED_EXCLUDES(live_list_lock_);
    void leave_live_list(Tasklet& tasklet) SCHED_EXCLUDES(live_list_lock_);
    // Any live tasklet other than main, with a reference added. nullptr: none is left, but for those
    // that other threads are about to destroy.
    Tasklet* any_live_tasklet() SCHED_EXCLUDES(live_list_lock_);
    bool has_live_tasklets() const SCHED_EXCLUDES(live_list_lock_);
    // Calls `visit(Tasklet&)` for them, newest first, until it returns false. It runs under the lock:
    // it may count, compare and try to add references, and nothing else.
    template <typename Visit>
    void visit_live_list(Visit visit) const SCHED_EXCLUDES(live_list_lock_) {
        LockGuard guard(live_list_lock_);
        for (Tasklet* t = live_list_.front(); t != nullptr && visit(*t); t = live_list_.after(t)) {
        }
    }

    // ---- state
    Tasklet& main() const { return main_; }
    Tasklet& current() const { return *current_; }
    bool current_is_main() const { return current_ == &main_; }
    RunLoop* loop() const { return loop_; }
    StackSupply& stacks() { return *stacks_; }
    RunLimit& limit() { return limit_; }
    // Main counts as an entry.
    std::size_t run_count() const { return runnables_.size() + 1; }
    // The same, by walking the queue.
    std::size_t count_runnables() const;
    bool queue_empty() const { return runnables_.empty(); }
    // Neighbours in the queue, main being its first entry; nullptr at the ends and outside.
    Tasklet* next_in_queue(const Tasklet& tasklet) const;
    Tasklet* previous_in_queue(const Tasklet& tasklet) const;

    int trap_level() const { return trap_level_; }
    void set_trap_level(int level) { trap_level_ = level; }

    // How often a tasklet has left the queue at the end of a turn, and current has changed.
    std::uint64_t completed() const { return completed_; }
    std::uint64_t switched() const { return switched_; }

    // ---- waiting; see parking.h
    Parking& parking() { return parking_; }

    // ---- timers: until when a tasklet of this thread waits, by `clock()`
    const TimerClock& clock() const { return clock_; }
    // The wait begins, at `time`; `deadline` may be kNever.
    void begin_wait(Wait& wait, std::int64_t deadline, std::int64_t time);
    void begin_wait(Wait& wait, std::int64_t deadline) {
        begin_wait(wait, deadline, clock_.time());
    }
    // It is over.
    void end_wait(Wait& wait);
    bool has_timers() const { return !timers_.empty(); }
    // kNever without one.
    std::int64_t next_deadline() const { return timers_.next_deadline(); }
    // For each turn that begins: is a timer due? It looks at the clock every kTurnsPerLook turns, or at
    // each turn if they take long: so late is a timer noticed at most, in turns.
    SCHED_ALWAYS_INLINE bool is_timer_due() { return is_time_to_look() && look_at_clock(); }
    // Is it time to look? Then is_timer_due() is still to be asked.
    SCHED_ALWAYS_INLINE bool is_time_to_look() {
        if (--turns_to_look_ != 0) [[likely]]
            return false;
        turns_to_look_ = 1;
        return true;
    }
    // The thread comes back to its tasklets, from a frame that it has drawn, say: how much time has passed
    // does not follow from the number of turns.
    void look_at_next_turn() {
        if (has_timers()) turns_to_look_ = 1;
    }
    // Those whose time is up leave their wait queues and are queued, with Wait::timed_out set.
    void fire_timers();
    // For tests of programs: see timer_clock.h.
    void stop_clock() { clock_.stop(); }
    void start_clock(bool anew) { clock_.start(anew); }
    void move_clock(std::int64_t time) {
        clock_.move_to(time);
        told_deadline_ = kNever;  // fewer seconds are left now
        if (!has_timers()) return;
        turns_to_look_ = 1;
        if (in_event_loop_) wake_event_loop();
    }

    // ---- an event loop of the program's, which the thread is in between the turns that it asks for
    // What wakes it; nullptr: there is none. The thread is not in there until go_to_event_loop().
    Waker* waker() const { return waker_; }
    void set_waker(Waker* waker);
    // From now on the event loop is woken, once, as soon as there is something to do. False: there is by
    // now, and the thread has not gone.
    bool go_to_event_loop();
    // The same, but then it is woken at once.
    void go_to_event_loop_or_wake() {
        if (!go_to_event_loop()) waker_->wake();
    }
    // It is not woken any more. True: it has not been.
    bool return_from_event_loop() {
        return std::exchange(in_event_loop_, false) && parking_.come_back();
    }
    // As next_deadline(). From now on only a timer that is due before wakes the event loop.
    std::int64_t tell_next_deadline() { return told_deadline_ = next_deadline(); }
    bool has_work() const {
        return has_mail() || !queue_empty() || (has_timers() && next_deadline() <= clock_.time());
    }

    // ---- mail from other threads
    // Reads one piece of mail and does what it asks of the queue.
    Mail take_mail();
    // For Channel: a tasklet that somebody has taken out of its wait queue, and posted, is made
    // runnable at once. Its mail may be on the way still, by the hand of another thread that had asked
    // something before.
    void complete_delivery(Tasklet& tasklet);

    // ---- the queue; a true result takes over one reference from the caller
    // At the end. Nothing happens to one in transit, which its mail will queue.
    bool insert(Tasklet& tasklet);
    // Queues the partner of a transfer that has just been completed, with the wait queue's reference.
    void make_runnable(Tasklet& partner, bool first);
    // Queues it behind `place`, or at the end if that has left the queue. The result as above.
    bool insert_behind(Tasklet& place, Tasklet& tasklet);
    // Flat mode: to the place behind the current tasklet, from wherever it is. The result as above.
    bool insert_behind_current(Tasklet& tasklet);
    // True: it was queued, and the caller owns the queue's reference now.
    bool take_out(Tasklet& tasklet);
    // For Channel: the current tasklet goes from the queue to a wait queue, reference and all.
    SCHED_ALWAYS_INLINE void leave_queue_to_wait(Tasklet& tasklet) {
        if (!tasklet.is_main) unlink(tasklet);
    }

    // ---- run loops
    // A loop over the queue with the current tasklet as driver, starting at `first` and ending with
    // the last entry as of now; without `first`, over all that stands behind the driver.
    void open_loop(RunLoop& loop, Tasklet* first);
    // A loop that gives turns to `victim` alone until it is dead.
    void open_unwinding(RunLoop& loop, Tasklet& victim);
    // A loop that is over with the next turn, which is that of `only`: no place in the queue is looked at,
    // but it has one by then.
    void open_turn(RunLoop& loop, Tasklet& only);
    void close_loop(RunLoop& loop);
    // The innermost loop over the queue that `driver` drives, if any, has failed: it hands out no more turns.
    void fail_loop_of(const Tasklet& driver);

    // The driver of the innermost loop is current: who is next?
    Turn next_turn() const;
    // `next` is about to go on. Among thousands of tasklets, those behind it have left the caches since
    // their last turn: starts to fetch the stack of the one, and the record of the other.
    void prefetch_behind(const Tasklet& next) const;
    // Makes `tasklet` current. Its first turn needs its stack to be there. `time`: now(), if the caller
    // knows it, for a first turn.
    void begin_turn(Tasklet& tasklet, std::int64_t time = 0);
    // The current tasklet's turn is over; the driver of the innermost loop becomes current.
    EndOfTurn end_turn(Ending how);
    // end_turn(), next_turn() and begin_turn() at once, for what nearly every turn ends in: the current
    // tasklet yields or blocks, the loop goes on, and the one at the front of the queue has started
    // before. nullptr: it is not so, and nothing has happened. `how`: kRequeue or kBlock. No trap may be set.
    Tasklet* pass_turn(Ending how);
    // A tasklet that never ran dies at the place where its turn was due. See end_turn.
    EndOfTurn finish_unstarted(Tasklet& tasklet, bool silently);

    // The driver of the innermost loop is a main tasklet that waited and has been served: its loop
    // ends with the present turn.
    SCHED_ALWAYS_INLINE bool driver_is_served() const {
        return loop_->waking && !loop_->driver->blocked();
    }

    // A tasklet is destroyed: no loop may name it any more.
    void detach_from_loops(Tasklet& tasklet);

    // The thread ends: refuses mail from now on. What is left in the inbox is read by take_mail.
    void finish();
    // Any entry of the queue but main, or nullptr.
    Tasklet* first_runnable() const { return runnables_.front(); }
    // Gives the memory of all stacks back, unless one was abandoned in the middle of its work:
    // frames on it may still be looked at.
    void free_stacks();

    // ---- a trace of what happens, see trace.h; nullptr: there is none
    // Whoever gives turns, and transfers, writes what it does. They take their shortest way only while
    // there is no trace.
    TraceBuffer* trace() const { return trace_; }
    void set_trace(TraceBuffer* buffer) { trace_ = buffer; }
    // Something has happened now. `by`: nullptr if that is not known.
    void trace_event(TraceKind kind, const Tasklet* tasklet, const Tasklet* by = nullptr,
                     std::uint8_t why = 0) {
        if (trace_ != nullptr) trace_->write(kind, tasklet, by, why);
    }
    void trace_ready(const Tasklet& tasklet, const Tasklet* by) {
        trace_event(TraceKind::kReady, &tasklet, by);
    }

    // Nanoseconds of the monotonic clock, as tasklets report their start and end.
    static std::int64_t now() { return TimerClock::real_time(); }

  private:
    QueueNode* node(Tasklet& tasklet) {
        return tasklet.is_main ? runnables_.head() : static_cast<QueueNode*>(&tasklet);
    }
    // Behind what an entry goes that shall be next: the current tasklet, or the front of the queue
    // when that is main or is being unwound outside the queue.
    QueueNode* place_of_current() {
        return current_->is_main || !current_->queued() ? runnables_.head()
                                                        : static_cast<QueueNode*>(current_);
    }
    bool ends_loop(const Tasklet& tasklet) const {
        return &tasklet == loop_->last || loop_->unwinding != nullptr || driver_is_served();
    }
    bool insert_for(Tasklet& tasklet, const Tasklet* by);
    void trace_loop(TraceKind kind) {
        if (trace_ == nullptr) return;
        // Between the end of the last turn and that of the loop is nothing that takes time.
        const bool opens = kind == TraceKind::kLoopOpens;
        trace_->write_at(opens ? trace_->look() : trace_->last_time(), kind, current_);
    }
    bool look_at_clock();
    void plan_look(std::int64_t time);  // somebody has just looked at the clock
    void mark(QueueNode* anchor, Tasklet* last, std::uint32_t change);
    SCHED_ALWAYS_INLINE void append(Tasklet& tasklet) {
        link_behind(*runnables_.head()->prev, tasklet);
    }
    SCHED_ALWAYS_INLINE void link_behind(QueueNode& place, Tasklet& tasklet) {
        runnables_.insert_after(place, tasklet);
        tasklet.in_runnables = true;
        if (in_event_loop_) [[unlikely]]
            wake_event_loop();
    }
    // The thread itself has something to do for it. In a run loop that the event loop's code has opened, it
    // will see at the end whether anything is left.
    [[gnu::noinline, gnu::cold]] void wake_event_loop() {
        if (loop_ == nullptr && return_from_event_loop()) waker_->wake();
    }
    SCHED_ALWAYS_INLINE void unlink(Tasklet& tasklet) {
        runnables_.remove(tasklet);
        tasklet.in_runnables = false;
    }

    static constexpr std::uint64_t kTurnsPerLook = 32;
    static constexpr std::int64_t kLongTurns = 100'000;  // that many, in nanoseconds
    static constexpr std::uint64_t kNoLook = ~std::uint64_t{0};  // for as long as there is no timer
    // Fewer than these stay in the first caches from turn to turn.
    static constexpr std::size_t kCachedTasklets = 16;

    // Constant.
    const Host host_;
    Tasklet& main_;

    // Any thread.
    Atomic<long> references_{1};
    Atomic<bool> finished_{false};
    Inbox inbox_;
    Parking parking_;
    mutable Lock live_list_lock_;
    LiveList live_list_ SCHED_GUARDED_BY(live_list_lock_);

    // Owner thread.
    TaskletQueue runnables_;
    Tasklet* current_;
    RunLoop* loop_ = nullptr;
    Tasklet* unread_ = nullptr;  // taken from the inbox, oldest first
    TimerHeap timers_;
    TimerClock clock_;
    std::uint64_t turns_to_look_ = kNoLook;
    std::int64_t last_look_ = 0;
    int trap_level_ = 0;
    bool in_event_loop_ = false;  // other threads have woken it, perhaps
    Waker* waker_ = nullptr;
    std::int64_t told_deadline_ = kNever;
    RunLimit limit_;
    std::uint64_t completed_ = 0;
    std::uint64_t switched_ = 0;
    std::unique_ptr<StackSupply> stacks_;
    TraceBuffer* trace_ = nullptr;
};

inline bool ScheduleManager::post_silently(Tasklet& tasklet, std::uint32_t bits) {
    if (finished()) return false;
    std::uint32_t cleared = 0;
    if ((bits & mail::kInsert) != 0) cleared = mail::kRemove;
    if ((bits & mail::kRemove) != 0) cleared = mail::kInsert;
    auto old = static_cast<std::uint16_t>(tasklet.get_mail());
    while (!tasklet.mail.compare_exchange_weak(
        old, static_cast<std::uint16_t>((old & ~cleared) | bits | mail::kPosted),
        std::memory_order_acq_rel)) {
    }
    if ((old & mail::kPosted) != 0) return true;
    host_.retain(tasklet);
    if (inbox_.push(tasklet)) return true;
    host_.unretain(tasklet);
    return false;
}

}  // namespace scheduler::core

#include "turns.h"
