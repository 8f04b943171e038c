#include "timers.h"

#include <utility>

#include "check.h"

namespace scheduler::core {

Timer* TimerHeap::meld(Timer* a, Timer* b) {
    if (a == nullptr) return b;
    if (b == nullptr) return a;
    if (is_before(*b, *a)) std::swap(a, b);
    b->previous_ = a;
    b->next_ = a->child_;
    if (a->child_ != nullptr) a->child_->previous_ = b;
    a->child_ = b;
    return a;
}

// The usual two passes: pairs from the front, then all into one from the back.
Timer* TimerHeap::meld_siblings(Timer* first) {
    Timer* pairs = nullptr;  // linked by next_, the last one first
    while (first != nullptr) {
        Timer* const second = first->next_;
        Timer* const rest = second != nullptr ? second->next_ : nullptr;
        first->next_ = first->previous_ = nullptr;
        if (second != nullptr) second->next_ = second->previous_ = nullptr;
        Timer* const pair = meld(first, second);
        pair->next_ = pairs;
        pairs = pair;
        first = rest;
    }
    Timer* all = nullptr;
    while (pairs != nullptr) {
        Timer* const rest = std::exchange(pairs->next_, nullptr);
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

void TimerHeap::insert(Timer& timer, std::int64_t deadline) {
    SCHED_DCHECK(!timer.is_set(), "a timer is set twice");
    timer.deadline_ = deadline;
    timer.number_ = ++last_number_;
    root_ = meld(root_, &timer);
}

void TimerHeap::remove(Timer& timer) {
    SCHED_DCHECK(timer.is_set(), "a timer is taken out that is not set");
    Timer* const children = meld_siblings(timer.child_);
    if (&timer == root_) {
        root_ = children;
    } else {
        if (timer.previous_->child_ == &timer) {
            timer.previous_->child_ = timer.next_;
        } else {
            timer.previous_->next_ = timer.next_;
        }
        if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
        root_ = meld(root_, children);
    }
    timer.child_ = timer.next_ = timer.previous_ = nullptr;
    timer.deadline_ = kNever;
}

}  // namespace scheduler::core
