#include "stack_pool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <utility>

#include "atomic.h"
#include "guard_index.h"

namespace scheduler::core {
namespace {

// Frame memory above the shared page: as much as a chunk of CPython's own.
constexpr std::size_t kFrameBytes = std::size_t{16} << 10;

// How much of the shared page belongs to the C stack: this and up to 15 cache lines more. To block
// in a channel one call deep takes over a kilobyte of it and less than half as much in frames.
constexpr std::size_t kSharedStackBytes = 2048;
constexpr std::size_t kColours = 16;

// The free lists' table in stack_pool.h.
constexpr std::size_t kHotStacks = 64;
constexpr std::size_t kHotBytes = std::size_t{64} << 10;
constexpr std::size_t kMostWarmStacks = 16384 - kHotStacks;
constexpr std::size_t kWarmBytes = std::size_t{16} << 10;
constexpr std::size_t kCooledAtOnce = 1024;
constexpr std::int64_t kIdleNanoseconds = 1'000'000'000;
constexpr unsigned kReleasesBetweenLooks = 16;

// See "The guard" in stack_pool.h.
constexpr std::size_t kWideGuards = 1024;
constexpr std::size_t kCrowdGuardBytes = std::size_t{64} << 10;

constexpr std::size_t kFirstSlabStacks = 16;
constexpr std::size_t kMaxSlabStacks = 16384;

constexpr int kMadvGuardInstall = 102;  // MADV_GUARD_INSTALL, younger than many C libraries

std::size_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

// Masks instead of divisions: a page is a power of two that the compiler does not know.
std::size_t round_up_to_pages(std::size_t bytes) noexcept {
    return (bytes + page_bytes() - 1) & ~(page_bytes() - 1);
}

std::byte* page_of(std::byte* address) noexcept {
    return address - (reinterpret_cast<std::uintptr_t>(address) & (page_bytes() - 1));
}

// The first number in /proc/sys/vm/max_map_count: how many mappings this process may have.
long max_map_count() noexcept {
    constexpr long kLinuxDefault = 65530;
    const int file = ::open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return kLinuxDefault;
    }
    char text[32] = {};
    const ssize_t length = ::read(file, text, sizeof(text) - 1);
    ::close(file);
    const long count = length > 0 ? std::strtol(text, nullptr, 10) : 0;
    return count > 0 ? count : kLinuxDefault;
}

// How many more guards of their own mapping the process may make. Each costs two of its
// mappings, so all of them together cost half: the rest is for libraries, threads and malloc.
std::atomic<long>& guard_mapping_budget() noexcept {
    static std::atomic<long> budget{max_map_count() / 4};
    return budget;
}

// A guard that is a mark in the page table and no mapping of its own.
bool install_guard(std::byte* begin, std::size_t bytes) noexcept {
    static std::atomic<bool> is_unknown_to_kernel{false};
    if (is_unknown_to_kernel.load(std::memory_order_relaxed)) {
        return false;
    }
    if (::madvise(begin, bytes, kMadvGuardInstall) == 0) {
        return true;
    }
    if (errno == EINVAL) {
        is_unknown_to_kernel.store(true, std::memory_order_relaxed);
    }
    return false;
}

bool map_guard(std::byte* begin, std::size_t bytes) noexcept {
    std::atomic<long>& budget = guard_mapping_budget();
    if (budget.fetch_sub(1, std::memory_order_relaxed) > 0 &&
        ::mprotect(begin, bytes, PROT_NONE) == 0) {
        return true;
    }
    budget.fetch_add(1, std::memory_order_relaxed);
    return false;
}

// Whether more than `depth` bytes of C stack were used: see "How deep" in stack_pool.h. The stride
// between the words is no power of two, as alignment gaps in frames are.
SCHED_NO_ASAN bool was_used_below(const StackSpan& stack, std::size_t depth) noexcept {
    constexpr std::size_t kWords = 8;
    constexpr std::size_t kStride = 520;
    static_assert((kWords - 1) * kStride + sizeof(std::uint64_t) <= 4096);
    const std::byte* const page = page_of(stack.split) - round_up_to_pages(depth);
    if (page < stack.bottom) {
        return false;
    }
    sanitizer::allow_reading(page, page_bytes());
    std::uint64_t seen = 0;
    for (std::size_t word = 0; word < kWords; ++word) {
        seen |= *reinterpret_cast<const volatile std::uint64_t*>(page + word * kStride);
    }
    return seen != 0;
}

std::int64_t coarse_nanoseconds() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void give_back(std::byte* begin, std::byte* end) noexcept {
    if (begin < end) {
        // A refusal (locked memory) leaves the pages as they are, which is correct too.
        ::madvise(begin, static_cast<std::size_t>(end - begin), MADV_DONTNEED);
    }
}

}  // namespace

// The head of one mapping; after it the records of its stacks, then, from a page boundary, the
// slots.
struct alignas(kCacheLine) StackPool::Slab {
    Slab* next;
    std::size_t bytes;     // of the mapping
    std::size_t capacity;  // stacks it has room for
    std::size_t used;      // stacks handed out at least once: records [0, used) exist
    std::size_t guarded;
    long guard_mappings;
    std::size_t unused;  // of those, what trim() has counted
    std::byte* slots;
    GuardIndexEntry* guards;

    Stack* record(std::size_t index) noexcept { return reinterpret_cast<Stack*>(this + 1) + index; }
};

SlotLayout StackPool::layout_for(std::size_t wanted) noexcept {
    const std::size_t slot = std::clamp(wanted, kMinStackBytes, kMaxStackBytes);
    return lay_out_slots(slot, kMinStackBytes, kFrameBytes + page_bytes(), page_bytes());
}

StackPool::StackPool(std::size_t slot_bytes) noexcept
    : layout_(layout_for(slot_bytes)), next_slab_stacks_(kFirstSlabStacks) {}

StackPool::~StackPool() {
    while (slabs_ != nullptr) drop_slab(*std::exchange(slabs_, slabs_->next));
}

// It is in no list any more.
void StackPool::drop_slab(Slab& slab) noexcept {
    made_ -= slab.used;
    reserved_ -= slab.capacity;
    guarded_ -= slab.guarded;
    --slab_count_;
    guard_mapping_budget().fetch_add(slab.guard_mappings, std::memory_order_relaxed);
    forget_guards(slab.guards);
    ::munmap(&slab, slab.bytes);
}

// The newest are the largest, and there are few.
StackPool::Slab& StackPool::slab_of(const Stack& stack) const noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(&stack);
    Slab* slab = slabs_;
    while (address - reinterpret_cast<std::uintptr_t>(slab) >= slab->bytes) slab = slab->next;
    return *slab;
}

void StackPool::trim() noexcept {
    FreeList* const lists[] = {&empty_, &warm_, &hot_};
    for (FreeList* const list : lists) {
        for (Stack* stack = list->first; stack != nullptr; stack = stack->next_free) {
            ++slab_of(*stack).unused;
        }
    }
    FreeList kept;
    for (FreeList* const list : lists) {
        while (list->first != nullptr) {
            Stack* const stack = list->pop();
            const Slab& slab = slab_of(*stack);
            if (slab.unused == slab.used) continue;
            if (list != &empty_) give_back(stack->bottom, stack->top);
            kept.push(stack);
        }
    }
    empty_ = kept;
    for (Slab** link = &slabs_; *link != nullptr;) {
        Slab& slab = **link;
        if (slab.unused == slab.used) {
            *link = slab.next;
            drop_slab(slab);
        } else {
            slab.unused = 0;
            link = &slab.next;
        }
    }
    if (slabs_ == nullptr) next_slab_stacks_ = kFirstSlabStacks;
    warm_room_ = kLeastWarmStacks;
}

StackStats StackPool::stats() const noexcept {
    return {.reserved = reserved_,
            .in_use = in_use(),
            .pooled = pooled(),
            .guarded = guarded_,
            .slab_count = slab_count_,
            .stack_bytes = layout_.stack_bytes};
}

// Asks mincore(), which looks at every page: those of the guards, which have no memory, as well.
bool StackPool::add_resident(std::size_t& bytes) const noexcept {
    constexpr std::size_t kPagesAtOnce = 2048;
    unsigned char pages[kPagesAtOnce];
    for (const Slab* slab = slabs_; slab != nullptr; slab = slab->next) {
        std::size_t left = layout_.bytes_of(slab->used) / page_bytes();
        for (std::byte* begin = slab->slots; left != 0;) {
            const std::size_t count = std::min(left, kPagesAtOnce);
            if (::mincore(begin, count * page_bytes(), pages) != 0) {
                return false;
            }
            const auto is_resident = [](unsigned char page) { return (page & 1) != 0; };
            const auto resident = std::count_if(pages, pages + count, is_resident);
            bytes += static_cast<std::size_t>(resident) * page_bytes();
            begin += count * page_bytes();
            left -= count;
        }
    }
    return true;
}

Stack* StackPool::acquire_other() noexcept {
    if (warm_.first != nullptr) {
        warm_idle_ = std::min(warm_idle_, warm_.count - 1);
        return warm_.pop();
    }
    if (empty_.first != nullptr) {
        warm_room_ = std::min(warm_room_ + 1, kMostWarmStacks);
        return empty_.pop();
    }
    return acquire_new();
}

Stack* StackPool::acquire_new() noexcept {
    if ((slabs_ == nullptr || slabs_->used == slabs_->capacity) && !add_slab()) {
        return nullptr;
    }
    const std::size_t index = slabs_->used;
    std::byte* const slot = slabs_->slots + layout_.offset_of(slabs_->used++);
    add_guard(slot);
    auto* const stack = std::construct_at(slabs_->record(index));
    static_cast<StackSpan&>(*stack) = span_of(slot, index);
    stack->next_free = stack;
    ++made_;
    return stack;
}

// Slabs double up to a bound: a program of few tasklets reserves little, one of many makes few
// mappings. Where the system refuses that much, half of it may do.
bool StackPool::add_slab() noexcept {
    for (std::size_t count = next_slab_stacks_; count > 0; count /= 2) {
        const std::size_t head = round_up_to_pages(sizeof(Slab) + count * sizeof(Stack));
        const std::size_t slot_bytes = layout_.bytes_of(count);
        const std::size_t bytes = head + layout_.alignment - page_bytes() + slot_bytes;
        void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (memory == MAP_FAILED) {
            continue;
        }
        // A huge page would commit 2 MiB for one touched byte. Kernels without huge pages refuse.
        ::madvise(memory, bytes, MADV_NOHUGEPAGE);
        std::byte* const slots = first_slot_from(static_cast<std::byte*>(memory) + head);
        slabs_ = ::new (memory)
            Slab{.next = slabs_,
                 .bytes = bytes,
                 .capacity = count,
                 .used = 0,
                 .guarded = 0,
                 .guard_mappings = 0,
                 .unused = 0,
                 .slots = slots,
                 .guards = note_guards({.begin = reinterpret_cast<std::uintptr_t>(slots),
                                        .bytes = slot_bytes,
                                        .layout = layout_})};
        next_slab_stacks_ = std::min(count * 2, kMaxSlabStacks);
        reserved_ += count;
        ++slab_count_;
        return true;
    }
    next_slab_stacks_ = 1;
    return false;
}

// The first address from `begin` on where a slab's first slot may lie; pages are left out before it.
std::byte* StackPool::first_slot_from(std::byte* begin) const noexcept {
    const std::size_t mask = layout_.alignment - 1;
    return begin + ((layout_.first_offset - reinterpret_cast<std::uintptr_t>(begin)) & mask);
}

StackSpan StackPool::span_of(std::byte* slot, std::size_t index) const noexcept {
    const std::size_t page = page_bytes();
    std::byte* const bottom = slot + layout_.guard_bytes;
    std::byte* const top = bottom + layout_.stack_bytes;
    std::byte* const shared_page = top - (kFrameBytes & ~(page - 1)) - page;
    const std::size_t colour = index % kColours;
    return {.bottom = bottom,
            .split = shared_page + kSharedStackBytes + colour * kCacheLine,
            .top = top};
}

void StackPool::add_guard(std::byte* slot) noexcept {
    const std::size_t bytes = layout_.guard_bytes;
    const std::size_t marked = made_ < kWideGuards ? bytes : std::min(bytes, kCrowdGuardBytes);
    if (install_guard(slot + (bytes - marked), marked)) {
        ++slabs_->guarded;
    } else if (map_guard(slot, bytes)) {
        ++slabs_->guarded;
        ++slabs_->guard_mappings;
    } else {
        return;
    }
    ++guarded_;
}

// Takes memory from those at the end of the warm list that nobody has needed for a second.
void StackPool::cool_down() noexcept {
    const std::int64_t now = coarse_nanoseconds();
    if (now - idle_since_ < kIdleNanoseconds) return;
    idle_since_ = now;
    const std::size_t above = warm_.count - kLeastWarmStacks;
    const std::size_t surplus = std::min({warm_idle_, above, kCooledAtOnce});
    warm_.count -= surplus;
    warm_idle_ = warm_.count;
    warm_room_ = std::max(warm_room_ - surplus, kLeastWarmStacks);
    Stack* last = warm_.first;
    for (std::size_t i = 1; i < warm_.count; ++i) last = last->next_free;
    Stack* stack = std::exchange(last->next_free, nullptr);
    while (stack != nullptr) {
        Stack* const next = stack->next_free;
        give_back(stack->bottom, stack->top);
        empty_.push(stack);
        stack = next;
    }
}

StackPool::FreeList& StackPool::choose_list(const Stack& stack) noexcept {
    if (warm_.count > kLeastWarmStacks && ++releases_ % kReleasesBetweenLooks == 0) cool_down();
    const bool is_hot = hot_.count < kHotStacks;
    if (!is_hot && warm_.count >= warm_room_) {
        give_back(stack.bottom, stack.top);
        return empty_;
    }
    if (was_used_below(stack, is_hot ? kHotBytes : kWarmBytes)) {
        std::byte* const shared_page = page_of(stack.split);
        give_back(stack.bottom, shared_page);
        give_back(shared_page + page_bytes(), stack.top);
    }
    return is_hot ? hot_ : warm_;
}

}  // namespace scheduler::core
