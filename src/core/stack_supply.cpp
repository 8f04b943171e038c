#include "stack_supply.h"

#include <new>
#include <utility>

namespace scheduler::core {

StackSupply::~StackSupply() {
    delete current_;
    while (former_ != nullptr) delete std::exchange(former_, former_->next);
}

// The pool of this size among the former ones, no longer one of them; nullptr: there is none.
StackSupply::Node* StackSupply::take_former(std::size_t stack_bytes) noexcept {
    for (Node** link = &former_; *link != nullptr; link = &(*link)->next) {
        if ((*link)->stack_bytes != stack_bytes) continue;
        Node* const found = *link;
        *link = found->next;
        found->next = nullptr;
        return found;
    }
    return nullptr;
}

bool StackSupply::change_size(std::size_t bytes) noexcept {
    const std::size_t stack_bytes = StackPool::stack_bytes_for(bytes);
    if (current_ == nullptr || current_->stack_bytes != stack_bytes) {
        Node* node = take_former(stack_bytes);
        if (node == nullptr) node = new (std::nothrow) Node(bytes);
        if (node == nullptr) return false;
        Node* const left = std::exchange(current_, node);
        if (left != nullptr && left->pool.in_use() != 0) {
            left->next = former_;
            former_ = left;
        } else {
            delete left;
        }
    }
    wanted_ = bytes;
    return true;
}

void StackSupply::release_former(Stack* stack) noexcept {
    Node* const node = take_former(stack->bytes());
    SCHED_CHECK(node != nullptr, "release of a stack of another thread");
    node->pool.release(stack);
    if (node->pool.in_use() == 0) {
        delete node;
        return;
    }
    node->next = former_;
    former_ = node;
}

void StackSupply::trim() noexcept {
    if (current_ != nullptr) current_->pool.trim();
    for (Node* node = former_; node != nullptr; node = node->next) node->pool.trim();
}

StackStats StackSupply::stats() const noexcept {
    StackStats sum;
    sum.stack_bytes = StackPool::stack_bytes_for(wanted_);
    const auto add = [&sum](const Node* node) {
        const StackStats stats = node->pool.stats();
        sum.reserved += stats.reserved;
        sum.in_use += stats.in_use;
        sum.pooled += stats.pooled;
        sum.guarded += stats.guarded;
        sum.slab_count += stats.slab_count;
    };
    if (current_ != nullptr) add(current_);
    for (const Node* node = former_; node != nullptr; node = node->next) add(node);
    return sum;
}

bool StackSupply::measure_resident(std::size_t& bytes) const noexcept {
    bytes = 0;
    if (current_ != nullptr && !current_->pool.add_resident(bytes)) return false;
    for (const Node* node = former_; node != nullptr; node = node->next) {
        if (!node->pool.add_resident(bytes)) return false;
    }
    return true;
}

}  // namespace scheduler::core
