// Whose guard page is at an address? For a signal handler: any thread, any moment, no locks.
//
// Every slab of every StackPool of the process is noted here for as long as it is mapped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace scheduler::core {

// The slots of one slab: each begins with its guard.
struct GuardedSlots {
    std::uintptr_t begin;
    std::size_t bytes;  // of all slots
    std::size_t slot_bytes;
    std::size_t guard_bytes;
};

// A place in the index. Places are never freed, only used again.
class GuardIndexEntry;

// Notes the slots of a new slab. nullptr: there was no memory to note them, so nobody will find them.
GuardIndexEntry* note_guards(const GuardedSlots& slots) noexcept;
// The slab is about to be unmapped. nullptr is harmless.
void forget_guards(GuardIndexEntry* entry) noexcept;

struct GuardHit {
    std::uintptr_t bottom = 0;  // of the stack that the guard belongs to; 0: it was no guard
    std::size_t bytes = 0;  // of that stack

    explicit operator bool() const { return bottom != 0; }
};

// May be called in a signal handler.
GuardHit find_guard(std::uintptr_t address) noexcept;

}  // namespace scheduler::core
