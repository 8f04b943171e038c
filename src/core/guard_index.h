// Whose guard is at an address? For a signal handler: any thread, any moment, no locks.
//
// Every slab of every StackPool of the process is noted here for as long as it is mapped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "slot_layout.h"

namespace scheduler::core {

// The slots of one slab.
struct GuardedSlots {
    std::uintptr_t begin;
    std::size_t bytes;  // of all slots
    SlotLayout layout;
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
