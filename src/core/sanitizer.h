// Tells AddressSanitizer, ThreadSanitizer and Valgrind that stacks are switched; without one of
// them everything here is empty. They follow a stack by its bounds (ASan, Valgrind) or as a thread
// of its own (TSan): left in the dark, ASan reports good frames as overflows and TSan mixes two
// call stacks.
//
// Define SCHED_VALGRIND in the build to register stacks with Valgrind.
#pragma once

#include <cstddef>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define SCHED_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCHED_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SCHED_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SCHED_TSAN 1
#endif
#endif

#if defined(SCHED_ASAN) || defined(SCHED_TSAN) || defined(SCHED_VALGRIND)
#define SCHED_ANY_SANITIZER 1
#endif

#ifdef SCHED_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SCHED_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef SCHED_VALGRIND
#include <valgrind/memcheck.h>
#endif

// TSan counts calls and returns on the stack that makes them. A function that changes the stack in
// between must therefore dissolve into its caller, in builds without optimisation too.
#define SCHED_ALWAYS_INLINE [[gnu::always_inline]] inline

// For a function that reads what ASan thinks nobody should.
#define SCHED_NO_ASAN __attribute__((no_sanitize("address")))

namespace scheduler::core::sanitizer {

#ifdef SCHED_TSAN
// All stacks of a thread see what was done before a switch. The stacks that stand for threads in the
// tests of interleavings (atomic.h) do not: what they see of each other is what is tested.
#ifdef SCHED_MODEL
inline constexpr unsigned kTsanSwitch = __tsan_switch_to_fiber_no_sync;
#else
inline constexpr unsigned kTsanSwitch = 0;
#endif
#endif

// The caller is about to look at memory that stacks have left behind.
inline void allow_reading([[maybe_unused]] const void* begin, [[maybe_unused]] std::size_t bytes) {
#ifdef SCHED_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(begin, bytes);
#endif
}

// What the sanitizers know of one stack. Owner thread only. A default-constructed one stands for
// the thread's own stack; its bounds are learnt when it is left for the first time.
class Fiber {
  public:
    // A new stack [bottom, bottom + bytes), nothing on it yet.
    void create([[maybe_unused]] void* bottom, [[maybe_unused]] std::size_t bytes) {
#ifdef SCHED_ANY_SANITIZER
        is_created_ = true;
#endif
#ifdef SCHED_ASAN
        bottom_ = bottom;
        bytes_ = bytes;
        fake_stack_ = nullptr;
#endif
#ifdef SCHED_TSAN
        thread_ = __tsan_create_fiber(0);
#endif
#ifdef SCHED_VALGRIND
        valgrind_id_ = VALGRIND_STACK_REGISTER(bottom, static_cast<char*>(bottom) + bytes);
#endif
    }

    // The stack will not run again. Called on another stack; harmless when nothing was created.
    void destroy() {
#ifdef SCHED_ANY_SANITIZER
        if (!std::exchange(is_created_, false)) {
            return;
        }
#endif
#ifdef SCHED_ASAN
        // Frames that were dropped instead of left keep their red zones. Looked for first, because
        // to clean is to commit shadow memory, and most of a stack was never used.
        const auto* const end = static_cast<const char*>(bottom_) + bytes_;
        const auto* const first =
            static_cast<const char*>(__asan_region_is_poisoned(const_cast<void*>(bottom_), bytes_));
        if (first != nullptr) {
            __asan_unpoison_memory_region(first, static_cast<std::size_t>(end - first));
        }
#endif
#ifdef SCHED_TSAN
        __tsan_destroy_fiber(thread_);
        thread_ = nullptr;
#endif
#ifdef SCHED_VALGRIND
        VALGRIND_STACK_DEREGISTER(valgrind_id_);
#endif
    }

    // The last call before the jump. `to` is where it goes.
    SCHED_ALWAYS_INLINE void start_switch([[maybe_unused]] const Fiber& to) {
#ifdef SCHED_ASAN
        __sanitizer_start_switch_fiber(&fake_stack_, to.bottom_, to.bytes_);
#endif
#ifdef SCHED_TSAN
        if (thread_ == nullptr) {
            thread_ = __tsan_get_current_fiber();
        }
        __tsan_switch_to_fiber(to.thread_, kTsanSwitch);
#endif
    }

    // The same when nobody comes back: ASan then frees what it kept for the stack.
    SCHED_ALWAYS_INLINE void start_last_switch([[maybe_unused]] const Fiber& to) {
#ifdef SCHED_ASAN
        __sanitizer_start_switch_fiber(nullptr, to.bottom_, to.bytes_);
#endif
#ifdef SCHED_TSAN
        __tsan_switch_to_fiber(to.thread_, kTsanSwitch);
#endif
    }

    // The first call after the jump, by the stack that was entered. `left` is null when the stack
    // it came from has ended.
    SCHED_ALWAYS_INLINE void finish_switch([[maybe_unused]] Fiber* left) {
#ifdef SCHED_ASAN
        const void* bottom = nullptr;
        std::size_t bytes = 0;
        __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
        if (left != nullptr) {
            left->bottom_ = bottom;
            left->bytes_ = bytes;
        }
#endif
    }

    // The stack that runs as `other` goes on as this one.
    void take_over([[maybe_unused]] Fiber& other) { *this = std::exchange(other, Fiber()); }

  private:
#ifdef SCHED_ANY_SANITIZER
    bool is_created_ = false;  // false: the thread's own stack, or none
#endif
#ifdef SCHED_ASAN
    const void* bottom_ = nullptr;
    std::size_t bytes_ = 0;
    void* fake_stack_ = nullptr;
#endif
#ifdef SCHED_TSAN
    void* thread_ = nullptr;
#endif
#ifdef SCHED_VALGRIND
    unsigned valgrind_id_ = 0;
#endif
};

}  // namespace scheduler::core::sanitizer
