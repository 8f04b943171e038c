// The stacks of one thread's tasklets, of the size that is wanted at the moment.
//
// A StackPool has one size for life. When another size is wanted, the next stack comes from another
// pool; stacks of former sizes that are still in use go back to theirs, which is freed with the last
// of them. No two pools of a supply have the same size, so a stack's size tells where it belongs.
//
// Threads: one supply per thread; no function may be called by two threads at a time.
#pragma once

#include <cstddef>

#include "stack_pool.h"

namespace scheduler::core {

class StackSupply {
  public:
    // `bytes`: see StackPool. Nothing is reserved before the first stack is asked for.
    explicit StackSupply(std::size_t bytes) noexcept : wanted_(bytes) {}
    // Unmaps every stack, as ~StackPool() does.
    ~StackSupply();
    StackSupply(const StackSupply&) = delete;
    StackSupply& operator=(const StackSupply&) = delete;

    // A stack of `bytes`, its contents undefined; nullptr when the system has no memory for one.
    Stack* acquire(std::size_t bytes) noexcept {
        if ((current_ == nullptr || bytes != wanted_) && !change_size(bytes)) return nullptr;
        Stack* const stack = current_->pool.acquire();
        if (stack != nullptr && ++in_use_ > high_water_) high_water_ = in_use_;
        return stack;
    }

    // Takes back a stack on which nobody will run again. The caller is on another one.
    void release(Stack* stack) noexcept {
        --in_use_;
        if (is_current_size(*stack)) {
            current_->pool.release(stack);
        } else {
            release_former(stack);
        }
    }

    // Is `stack` what acquire(bytes) would give? Then one tasklet can leave it to another.
    bool fits(const Stack& stack, std::size_t bytes) const noexcept {
        return bytes == wanted_ && is_current_size(stack);
    }

    // See StackPool: of all sizes.
    void trim() noexcept;

    std::size_t in_use() const noexcept { return in_use_; }
    // Sums over all sizes; `stack_bytes` is the size wanted last.
    StackStats stats() const noexcept;
    // The most stacks that were in use at once.
    std::size_t high_water() const noexcept { return high_water_; }
    // Memory of all stacks that the system has pages for; slow. False: the system does not tell.
    bool measure_resident(std::size_t& bytes) const noexcept;

  private:
    struct Node {
        explicit Node(std::size_t bytes) noexcept : pool(bytes), stack_bytes(pool.stack_bytes()) {}

        StackPool pool;
        const std::size_t stack_bytes;
        Node* next = nullptr;
    };

    bool is_current_size(const Stack& stack) const noexcept {
        return stack.bytes() == current_->stack_bytes;
    }
    bool change_size(std::size_t bytes) noexcept;
    void release_former(Stack* stack) noexcept;
    Node* take_former(std::size_t stack_bytes) noexcept;

    std::size_t wanted_;  // what was asked for last
    Node* current_ = nullptr;  // the pool for that; nullptr before the first stack
    Node* former_ = nullptr;  // those of other sizes, with stacks in use
    std::size_t in_use_ = 0;
    std::size_t high_water_ = 0;
};

}  // namespace scheduler::core
