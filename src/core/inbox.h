// Mail for a schedule manager from other threads: many producers, one consumer, no locks.
//
// A tasklet is its own envelope: what is asked of it are bits of Tasklet::mail, so posting never
// allocates and a tasklet is in the inbox at most once. Closing is final and refuses later mail.
#pragma once

#include "atomic.h"
#include "tasklet.h"

namespace scheduler::core {

class Inbox {
  public:
    // Any thread. Nothing to fetch? May be out of date at once, but sees all that was pushed before a
    // poster found the owner awake (see parking.h).
    SCHED_ALWAYS_INLINE bool empty() const {
        const Tasklet* head = head_.load(std::memory_order_seq_cst);
        if (head == nullptr) [[likely]]
            return true;
        return is_closed(head);
    }

    // Any thread; only the poster that set mail::kPosted may call it. False: the inbox is closed.
    bool push(Tasklet& tasklet) {
        Tasklet* head = head_.load(std::memory_order_relaxed);
        do {
            if (head == closed()) return false;
            tasklet.mail_next = head;
        } while (!head_.compare_exchange_weak(head, &tasklet, std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
        return true;
    }

    // Owner thread. Everything posted so far, oldest first, linked by mail_next.
    Tasklet* take_all() {
        Tasklet* head = head_.load(std::memory_order_relaxed);
        if (head == nullptr || head == closed()) return nullptr;
        return oldest_first(head_.exchange(nullptr, std::memory_order_acquire));
    }

    // Owner thread. The last mail; nothing can be posted afterwards.
    Tasklet* close() {
        Tasklet* head = head_.exchange(closed(), std::memory_order_acq_rel);
        return head == closed() ? nullptr : oldest_first(head);
    }

  private:
    // A marker that is never the address of a tasklet.
    Tasklet* closed() const { return reinterpret_cast<Tasklet*>(const_cast<Inbox*>(this)); }

    // Not inline: every transfer and every yield asks whether there is mail.
    [[gnu::noinline]] bool is_closed(const Tasklet* head) const { return head == closed(); }

    static Tasklet* oldest_first(Tasklet* newest) {
        Tasklet* list = nullptr;
        while (newest != nullptr) {
            Tasklet* older = newest->mail_next;
            newest->mail_next = list;
            list = newest;
            newest = older;
        }
        return list;
    }

    Atomic<Tasklet*> head_{nullptr};
};

}  // namespace scheduler::core
