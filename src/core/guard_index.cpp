#include "guard_index.h"

#include <new>

namespace scheduler::core {

// Written by one thread at a time: who has made kFree kClaimed, and later who owns the slab. `begin`
// is written last, so that whoever reads an address there finds the rest.
class GuardIndexEntry {
  public:
    bool try_note(const GuardedSlots& slots) noexcept {
        std::uintptr_t seen = kFree;
        if (!begin_.compare_exchange_strong(seen, kClaimed, std::memory_order_acq_rel)) {
            return false;
        }
        bytes_.store(slots.bytes, std::memory_order_relaxed);
        guard_bytes_.store(slots.layout.guard_bytes, std::memory_order_relaxed);
        stack_bytes_.store(slots.layout.stack_bytes, std::memory_order_relaxed);
        group_slots_.store(slots.layout.group_slots, std::memory_order_relaxed);
        group_bytes_.store(slots.layout.group_bytes, std::memory_order_relaxed);
        begin_.store(slots.begin, std::memory_order_release);
        return true;
    }

    void forget() noexcept { begin_.store(kFree, std::memory_order_release); }

    GuardHit find(std::uintptr_t address) const noexcept {
        const std::uintptr_t begin = begin_.load(std::memory_order_acquire);
        const std::size_t offset = address - begin;
        if (begin == kFree || begin == kClaimed || address < begin ||
            offset >= bytes_.load(std::memory_order_relaxed)) {
            return {};
        }
        const std::size_t guard_bytes = guard_bytes_.load(std::memory_order_relaxed);
        const std::size_t stack_bytes = stack_bytes_.load(std::memory_order_relaxed);
        const std::size_t slot_bytes = guard_bytes + stack_bytes;
        const std::size_t in_group = offset % group_bytes_.load(std::memory_order_relaxed);
        const std::size_t in_slot = in_group % slot_bytes;
        if (in_group / slot_bytes >= group_slots_.load(std::memory_order_relaxed) ||
            in_slot >= guard_bytes) {
            return {};
        }
        return {.bottom = address - in_slot + guard_bytes, .bytes = stack_bytes};
    }

  private:
    static constexpr std::uintptr_t kFree = 0;
    static constexpr std::uintptr_t kClaimed = 1;

    std::atomic<std::uintptr_t> begin_{kFree};
    std::atomic<std::size_t> bytes_{0};
    std::atomic<std::size_t> guard_bytes_{0};
    std::atomic<std::size_t> stack_bytes_{1};
    std::atomic<std::size_t> group_slots_{0};
    std::atomic<std::size_t> group_bytes_{1};
};

namespace {

struct Chunk {
    static constexpr std::size_t kEntries = 64;

    GuardIndexEntry entries[kEntries];
    std::atomic<Chunk*> next{nullptr};
};

constinit Chunk first_chunk;

// The chunk behind this one, made if need be; nullptr without memory.
Chunk* next_chunk(Chunk& chunk) noexcept {
    Chunk* next = chunk.next.load(std::memory_order_acquire);
    if (next != nullptr) {
        return next;
    }
    auto* const made = new (std::nothrow) Chunk;
    if (made == nullptr || chunk.next.compare_exchange_strong(next, made)) {
        return made;
    }
    delete made;
    return next;
}

}  // namespace

GuardIndexEntry* note_guards(const GuardedSlots& slots) noexcept {
    for (Chunk* chunk = &first_chunk; chunk != nullptr; chunk = next_chunk(*chunk)) {
        for (GuardIndexEntry& entry : chunk->entries) {
            if (entry.try_note(slots)) {
                return &entry;
            }
        }
    }
    return nullptr;
}

void forget_guards(GuardIndexEntry* entry) noexcept {
    if (entry != nullptr) {
        entry->forget();
    }
}

GuardHit find_guard(std::uintptr_t address) noexcept {
    for (const Chunk* chunk = &first_chunk; chunk != nullptr;
         chunk = chunk->next.load(std::memory_order_acquire)) {
        for (const GuardIndexEntry& entry : chunk->entries) {
            if (const GuardHit hit = entry.find(address)) {
                return hit;
            }
        }
    }
    return {};
}

}  // namespace scheduler::core
