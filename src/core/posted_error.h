// An exception that another thread wants to be raised in a tasklet, on its way there: put down first,
// then announced by mail::kError. The owner takes what is there, which may be more than its message
// was about: the message that follows finds nothing, and must not wake anybody for that.
#pragma once

#include <cstddef>
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
        auto* const word = static_cast<std::byte*>(content.error) + (content.kills ? 1 : 0);
        SCHED_DCHECK(unpack(word).error == content.error, "an error at an odd address");
        return unpack(word_.exchange(word, std::memory_order_acq_rel));
    }
    Content take() { return put({}); }
    // Any thread. May be out of date at once; of what it holds, only whether it kills.
    bool empty() const { return peek().error == nullptr; }
    bool kills() const { return peek().kills; }
    // Good for as long as nobody can take it: for the collector.
    void* borrow() const { return peek().error; }

  private:
    // The address, or if the error kills the one behind it: those of objects are even.
    static Content unpack(std::byte* word) {
        const bool kills = (reinterpret_cast<std::uintptr_t>(word) & 1) != 0;
        return {kills ? word - 1 : word, kills};
    }
    Content peek() const { return unpack(word_.load(std::memory_order_acquire)); }

    Atomic<std::byte*> word_{nullptr};
};

}  // namespace scheduler::core
