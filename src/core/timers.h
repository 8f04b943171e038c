// What a thread is to do at certain times: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan,
// 1986) of records that belong to others, so that nothing is allocated. To set a timer costs a few
// instructions; to take one out O(log n), spread over many operations.
#pragma once

#include <cstdint>

#include "atomic.h"

namespace scheduler::core {

// Lies wherever whoever waits keeps it, and stays there while it is set.
class Timer {
  public:
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // kNever: not set.
    std::int64_t deadline() const { return deadline_; }
    bool is_set() const { return deadline_ != kNever; }

  private:
    friend class TimerHeap;

    std::int64_t deadline_ = kNever;
    std::uint64_t number_ = 0;  // of those with the same deadline, the one set first is due first
    Timer* child_ = nullptr;  // the first one
    Timer* next_ = nullptr;  // of the same parent
    Timer* previous_ = nullptr;  // of the same parent; of the first child: the parent
};

class TimerHeap {
  public:
    // The one that is due first; nullptr without any.
    Timer* first() const { return root_; }
    bool empty() const { return root_ == nullptr; }
    // kNever without any.
    std::int64_t next_deadline() const { return root_ != nullptr ? root_->deadline_ : kNever; }

    // `timer` is not set, and `deadline` comes some time.
    void insert(Timer& timer, std::int64_t deadline);
    // `timer` is set, and in this heap.
    void remove(Timer& timer);

  private:
    static bool is_before(const Timer& a, const Timer& b) {
        return a.deadline_ != b.deadline_ ? a.deadline_ < b.deadline_ : a.number_ < b.number_;
    }
    // One heap of two, either of which may be empty. Their roots have no siblings.
    static Timer* meld(Timer* a, Timer* b);
    // One heap of the children of a timer that is taken out.
    static Timer* meld_siblings(Timer* first);

    Timer* root_ = nullptr;
    std::uint64_t last_number_ = 0;
};

}  // namespace scheduler::core
