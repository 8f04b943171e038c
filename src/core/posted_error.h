// An exception that another thread wants to be raised in a tasklet, on its way there: put down first,
// then announced by mail::kError. The owner takes what is there, which may be more than its letter
// was about: the letter that follows finds nothing, and must not wake anybody for that.
#pragma once

#include <cstdint>

#include "atomic.h"
#include "check.h"

namespace scheduler::core {

class PostedError {
  public:
    struct Content {
        void* error = nullptr;  // the host's; owned by whoever has the content
        bool kills = false;
    };

    // Any thread. What is returned has been replaced, and is the caller's.
    Content put(Content content) {
        const auto address = reinterpret_cast<std::uintptr_t>(content.error);
        SCHED_DCHECK((address & kKills) == 0, "an error at an odd address");
        return unpack(
            word_.exchange(address | (content.kills ? kKills : 0), std::memory_order_acq_rel));
    }
    Content take() { return put({}); }
    // Any thread. May be out of date at once; of what it holds, only whether it kills.
    bool empty() const { return peek().error == nullptr; }
    bool kills() const { return peek().kills; }
    // Good for as long as nobody can take it: for the collector.
    void* borrow() const { return peek().error; }

  private:
    static constexpr std::uintptr_t kKills = 1;  // in the place of a bit that is 0 in all addresses

    static Content unpack(std::uintptr_t word) {
        return {reinterpret_cast<void*>(word & ~kKills), (word & kKills) != 0};
    }
    Content peek() const { return unpack(word_.load(std::memory_order_acquire)); }

    Atomic<std::uintptr_t> word_{0};
};

}  // namespace scheduler::core
