// The stacks of one thread's tasklets: reserved in slabs, committed by the page, recycled.
//
// One slot of a slab, low addresses to the left; slot_layout.h tells how large and where they are:
//
//     | guard | C stack ............ <-[ split ]-> frames ... 16 KiB |
//             bottom                  shared page                   top
//
//  * Address space is reserved generously; memory is committed by the first touch. `split` lies in
//    the middle of a page, so that a tasklet blocked a few calls deep dirties that one page only:
//    its lower part ends the C stack, its upper part begins the interpreter's frame memory.
//  * `split` moves by a cache line from stack to stack: stacks at equal offsets would compete for the
//    same few sets of the first-level cache, which makes switches among many slower.
//  * The guard turns an overflow into SIGSEGV. It is made at a stack's first use by
//    MADV_GUARD_INSTALL (Linux 6.13), which does not split the mapping. To mark a page takes 20 ns:
//    the first 1,024 stacks get the whole guard, those of a crowd its upper 64 KiB. What lands
//    below is not reported then, but it is memory that no other stack uses.
//    Older kernels: mprotect(), which costs two mappings each, for as many stacks as a quarter of
//    vm.max_map_count; then none.
//  * The stacks' records, the free lists among them, lie at the head of a slab and not in the
//    stacks: a free stack keeps no page alive, and a slab is one mapping.
//
// A stack that comes back goes to the first of three lists that has room, and is taken again from the
// first that has one, last in, first out:
//
//     list    room     keeps the stack's memory
//     hot     64       unless more than 64 KiB of C stack was used: then the shared page only
//     warm    1,024 up unless more than 16 KiB of C stack was used: then the shared page only
//     empty   any      never
//
// So a thread that starts and ends a few tasklets at a time finds warm memory whatever it did before,
// and one that ran a crowd keeps little of it. If crowds come again and again, the room on the warm
// list follows: by one, up to 16,320, for each stack that is taken from the empty list, and back by
// what has lain idle there for a second, up to 1,024 stacks at a time (which takes about a
// millisecond). A pool looks after that when stacks come back. trim() keeps nothing.
//
// How deep a stack was used is told by a few words of the page at that depth: they are zero unless
// somebody wrote there, for what is given back is zero afterwards. Reading them maps the system's zero
// page once, which takes no memory; from then on it is a matter of nanoseconds, where asking the system
// (mincore) is a slow call each time. A frame that spans the page without writing to those words goes
// unnoticed; the stack then keeps its memory until it is used deep again.
//
// Threads: one pool per thread; no function may be called by two threads at a time. fork(): the memory
// is private and plain; the child's copy is as good as the parent's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "context.h"
#include "slot_layout.h"

namespace scheduler::core {

// Bytes of a slot: guard, C stack and frame memory together. The default is what a thread's stack has on
// Linux, so that libraries which count on that find it: those of linear algebra use several MiB.
inline constexpr std::size_t kDefaultStackBytes = std::size_t{8} << 20;
inline constexpr std::size_t kMinStackBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxStackBytes = std::size_t{1} << 32;

// One stack. Its record outlives its use; the pool owns it.
struct Stack : StackSpan {
    Stack* next_free = nullptr;  // the pool's own; a stack in use links to itself

    std::size_t bytes() const noexcept { return static_cast<std::size_t>(top - bottom); }
};

struct StackStats {
    std::size_t reserved = 0;  // stacks that the slabs have room for
    std::size_t in_use = 0;  // acquired and not released
    std::size_t pooled = 0;  // released and waiting in the free list
    std::size_t guarded = 0;  // stacks, in use or pooled, that have a guard
    std::size_t slab_count = 0;  // calls of mmap() that were needed
    std::size_t stack_bytes = 0;  // of one stack, bottom to top
};

class StackPool {
  public:
    // `slot_bytes`: size of one stack with its guard, taken to the nearer bound if out of the two
    // above; slot_layout.h tells how it is divided. Nothing is reserved yet.
    explicit StackPool(std::size_t slot_bytes = kDefaultStackBytes) noexcept;
    // Unmaps every stack, those in use as well: the caller is not on one, nobody goes on there, and
    // their Contexts were retired.
    ~StackPool();
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;

    // How large the stacks of a pool for this size are, and where they lie.
    static SlotLayout layout_for(std::size_t wanted) noexcept;
    static std::size_t stack_bytes_for(std::size_t wanted) noexcept {
        return layout_for(wanted).stack_bytes;
    }
    std::size_t stack_bytes() const noexcept { return layout_.stack_bytes; }

    // A stack, its contents undefined; nullptr when the system has no memory for one.
    Stack* acquire() noexcept { return hot_.first != nullptr ? hot_.pop() : acquire_other(); }

    // Takes back a stack of this pool on which nobody will run again. The caller is on another one.
    void release(Stack* stack) noexcept {
        SCHED_CHECK(stack->next_free == stack, "release of a stack that is not in use");
        choose_list(*stack).push(stack);
    }

    // Gives back the memory of all stacks that are not in use, and the slabs that have no other.
    void trim() noexcept;

    std::size_t in_use() const noexcept { return made_ - pooled(); }
    StackStats stats() const noexcept;
    // Adds the memory of all stacks that the system has pages for. Slow. False: it does not tell.
    bool add_resident(std::size_t& bytes) const noexcept;

  private:
    struct Slab;
    static constexpr std::size_t kLeastWarmStacks = 1024;

    struct FreeList {
        Stack* first = nullptr;
        std::size_t count = 0;

        Stack* pop() noexcept {
            Stack* const stack = first;
            first = stack->next_free;
            stack->next_free = stack;
            --count;
            return stack;
        }
        void push(Stack* stack) noexcept {
            stack->next_free = first;
            first = stack;
            ++count;
        }
    };

    std::size_t pooled() const noexcept { return hot_.count + warm_.count + empty_.count; }
    Stack* acquire_other() noexcept;
    Stack* acquire_new() noexcept;
    bool add_slab() noexcept;
    std::byte* first_slot_from(std::byte* begin) const noexcept;
    StackSpan span_of(std::byte* slot, std::size_t index) const noexcept;
    void add_guard(std::byte* slot) noexcept;
    FreeList& choose_list(const Stack& stack) noexcept;
    void cool_down() noexcept;
    Slab& slab_of(const Stack& stack) const noexcept;
    void drop_slab(Slab& slab) noexcept;

    const SlotLayout layout_;
    FreeList hot_;
    FreeList warm_;
    FreeList empty_;
    std::size_t warm_room_ = kLeastWarmStacks;
    std::size_t warm_idle_ = 0;  // how many have not left the warm list since then:
    std::int64_t idle_since_ = 0;
    unsigned releases_ = 0;
    std::size_t made_ = 0;  // stacks handed out at least once
    std::size_t guarded_ = 0;
    std::size_t reserved_ = 0;
    std::size_t slab_count_ = 0;
    std::size_t next_slab_stacks_;  // how many stacks to ask for next
    Slab* slabs_ = nullptr;  // newest first; only that one has stacks that were never used
};

}  // namespace scheduler::core
