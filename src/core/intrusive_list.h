// The one intrusive list: circular, with a counted length. What is listed carries the links itself, so
// nothing is allocated, and whoever knows an entry takes it out at once.
//
// By hand, for the run loops need what the lists of libraries hide: the head is a place like any other,
// which stands for the main tasklet and which a loop may start behind.
#pragma once

#include <cstddef>

#include "check.h"

namespace scheduler::core {

// The base of whatever is listed: one for each kind of list that an object may be in, told apart by `Tag`.
template <typename Tag>
struct ListNode {
    ListNode* prev = nullptr;
    ListNode* next = nullptr;

    bool linked() const { return next != nullptr; }
};

template <typename T, typename Tag>
class IntrusiveList {
  public:
    using Node = ListNode<Tag>;

    constexpr IntrusiveList() { head_.prev = head_.next = &head_; }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;

    bool empty() const { return head_.next == &head_; }
    std::size_t size() const { return size_; }

    // The node before the first and behind the last entry.
    Node* head() { return &head_; }
    const Node* head() const { return &head_; }

    // nullptr at the ends.
    T* front() const { return at(head_.next); }
    T* back() const { return at(head_.prev); }
    T* at(Node* node) const {
        if (node == nullptr) __builtin_unreachable();  // or the compiler tests for it
        return node == &head_ ? nullptr : static_cast<T*>(node);
    }
    T* after(const Node* node) const { return at(node->next); }

    void push_front(Node& entry) { insert_after(head_, entry); }
    void push_back(Node& entry) { insert_after(*head_.prev, entry); }
    void insert_after(Node& place, Node& entry) {
        SCHED_DCHECK(!entry.linked(), "an entry would be in two lists");
        entry.prev = &place;
        entry.next = place.next;
        place.next->prev = &entry;
        place.next = &entry;
        ++size_;
    }
    void remove(Node& entry) {
        SCHED_DCHECK(entry.linked(), "an entry is removed from a list that it is not in");
        // The analyzer takes an entry that is gone for the first one of the list.
        entry.prev->next = entry.next;  // NOLINT(clang-analyzer-core.NullDereference)
        entry.next->prev = entry.prev;
        entry.prev = entry.next = nullptr;
        --size_;
    }
    void move_to_back(Node& entry) {
        entry.prev->next = entry.next;
        entry.next->prev = entry.prev;
        Node& last = *head_.prev;
        entry.prev = &last;
        entry.next = &head_;
        last.next = &entry;
        head_.prev = &entry;
    }

  private:
    Node head_;
    std::size_t size_ = 0;
};

}  // namespace scheduler::core
