// An intrusive, circular list of tasklets with a counted length.
//
// A tasklet has one pair of links, so it is in at most one list at a time: a runnables queue or the
// line of a channel. The list's own node stands at both ends; in a runnables queue it stands for
// the main tasklet, which is the permanent first entry there and is never linked itself.
#pragma once

#include <cstddef>

#include "check.h"

namespace scheduler::core {

struct Tasklet;

struct Links {
    Links* prev = nullptr;
    Links* next = nullptr;

    bool linked() const { return next != nullptr; }
};

class TaskletList {
  public:
    TaskletList() { head_.prev = head_.next = &head_; }
    TaskletList(const TaskletList&) = delete;
    TaskletList& operator=(const TaskletList&) = delete;

    bool empty() const { return head_.next == &head_; }
    std::size_t size() const { return size_; }

    // The node before the first and behind the last tasklet.
    Links* head() { return &head_; }
    const Links* head() const { return &head_; }

    // nullptr at the ends.
    Tasklet* front() const { return at(head_.next); }
    Tasklet* back() const { return at(head_.prev); }
    Tasklet* at(Links* node) const;
    Tasklet* after(const Links* node) const { return at(node->next); }

    void push_back(Links& tasklet) { insert_after(*head_.prev, tasklet); }
    void insert_after(Links& place, Links& tasklet) {
        SCHED_DCHECK(!tasklet.linked(), "a tasklet would be in two lists");
        tasklet.prev = &place;
        tasklet.next = place.next;
        place.next->prev = &tasklet;
        place.next = &tasklet;
        ++size_;
    }
    void remove(Links& tasklet) {
        SCHED_DCHECK(tasklet.linked(), "a tasklet is removed from a list that it is not in");
        tasklet.prev->next = tasklet.next;
        tasklet.next->prev = tasklet.prev;
        tasklet.prev = tasklet.next = nullptr;
        --size_;
    }
    void move_to_back(Links& tasklet) {
        tasklet.prev->next = tasklet.next;
        tasklet.next->prev = tasklet.prev;
        Links& last = *head_.prev;
        tasklet.prev = &last;
        tasklet.next = &head_;
        last.next = &tasklet;
        head_.prev = &tasklet;
    }

  private:
    Links head_;
    std::size_t size_ = 0;
};

}  // namespace scheduler::core
