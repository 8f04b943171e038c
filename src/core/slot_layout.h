// Where the stacks of a slab lie: in slots, each a guard and above it a stack.
//
//  * A slot is an odd number of pages. Stacks a power of two apart would compete for the same sets of
//    the TLB, and their page table entries for the same sets of the caches.
//  * The guard is an eighth of the slot, but no more than 255 pages (1020 KiB): a frame smaller than
//    that cannot step over it into the stack below.
//  * The page table is made of pages too, each for a *span* of addresses (2 MiB where a page has
//    4 KiB), and a marked guard needs the one that it lies in. In a slot of up to one span that is
//    there anyway. Larger slots are a number of spans less one page, and begin so that a guard lies
//    in one span with what is used first of the stack below it. Each begins one page lower in its
//    span than the one before; when it would not fit any more, a new *group* begins as the first.
#pragma once

#include <algorithm>
#include <cstddef>

namespace scheduler::core {

struct SlotLayout {
    std::size_t guard_bytes = 0;
    std::size_t stack_bytes = 0;
    std::size_t group_slots = 1;
    std::size_t group_bytes = 0;
    // Of the first slot, counted from a multiple of `alignment`.
    std::size_t first_offset = 0;
    std::size_t alignment = 1;

    constexpr std::size_t slot_bytes() const { return guard_bytes + stack_bytes; }
    // From the first slot.
    constexpr std::size_t offset_of(std::size_t index) const {
        return index / group_slots * group_bytes + index % group_slots * slot_bytes();
    }
    constexpr std::size_t bytes_of(std::size_t slots) const {
        return slots == 0 ? 0 : offset_of(slots - 1) + slot_bytes();
    }
};

// Slots of up to `wanted` bytes, rounded up to whole spans if that is more than one, and each with a
// stack of at least `least`. Its top `first_used` bytes are those that are used first.
constexpr SlotLayout lay_out_slots(std::size_t wanted, std::size_t least, std::size_t first_used,
                                   std::size_t page) {
    constexpr std::size_t kEntryBytes = 8;  // of a page table
    constexpr std::size_t kMaxGuardBytes = std::size_t{1} << 20;
    const auto round_up = [](std::size_t bytes, std::size_t unit) {
        return (bytes + unit - 1) / unit * unit;
    };
    const std::size_t span = page / kEntryBytes * page;
    const bool fills_spans = wanted > span;
    const std::size_t pages = round_up(wanted, fills_spans ? span : page) / page;
    const std::size_t slot = pages - (pages + 1) % 2;
    const std::size_t most = std::max<std::size_t>(kMaxGuardBytes / page, 2) - 1;
    std::size_t guard = std::min(slot / 8 | 1, most);
    std::size_t stack = slot - guard;
    const std::size_t least_stack = round_up(least, 2 * page) / page;
    if (slot < guard + least_stack) {
        guard = std::min(least_stack / 8 | 1, most);
        stack = least_stack;
    }
    SlotLayout layout{.guard_bytes = guard * page, .stack_bytes = stack * page};
    layout.group_bytes = layout.slot_bytes();
    layout.alignment = page;
    if (fills_spans) {
        layout.alignment = span;
        layout.first_offset = span - layout.guard_bytes;
        layout.group_slots = (layout.first_offset - round_up(first_used, page)) / page;
        layout.group_bytes = layout.group_slots * pages * page;
    }
    return layout;
}

}  // namespace scheduler::core
