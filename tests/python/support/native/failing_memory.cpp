// Preloaded into an interpreter: fails one call of C++'s `new`, mmap(), madvise() or mprotect(), as
// a system without memory does.

#include <dlfcn.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

enum Kind { kNew, kMmap, kMadvise, kMprotect, kKinds };

constexpr long kNever = -1;
std::atomic<long> calls_before[kKinds] = {kNever, kNever, kNever, kNever};

// Since Linux 6.13 guards of stacks need no mprotect(), unless this is refused.
constexpr int kMadvGuardInstall = 102;
std::atomic<bool> has_guard_advice = true;

// Is this the call that fails?
bool fails(Kind kind) {
    long left = calls_before[kind];
    while (left != kNever) {
        if (calls_before[kind].compare_exchange_weak(left, left - 1)) return left == 0;
    }
    return false;
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// After `calls` more calls one fails. Where it is one of mprotect(), the system is an older one from now on.
extern "C" void fail_after(int kind, long calls) {
    if (kind == kMprotect) has_guard_advice = false;
    calls_before[kind] = calls;
}

// Ends that. Has one failed?
extern "C" int has_failed(int kind) { return calls_before[kind].exchange(kNever) == kNever; }

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    return fails(kNew) ? nullptr : std::malloc(bytes);
}

void* operator new(std::size_t bytes) {
    if (void* const memory = operator new(bytes, std::nothrow)) return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

extern "C" void* mmap(void* at, std::size_t bytes, int access, int flags, int file, off_t offset) {
    static auto* const real = next<void*(void*, std::size_t, int, int, int, off_t)>("mmap");
    if (fails(kMmap)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return real(at, bytes, access, flags, file, offset);
}

extern "C" int madvise(void* at, std::size_t bytes, int advice) {
    static auto* const real = next<int(void*, std::size_t, int)>("madvise");
    if (advice == kMadvGuardInstall && !has_guard_advice) {
        errno = EINVAL;
        return -1;
    }
    if (fails(kMadvise)) {
        errno = ENOMEM;
        return -1;
    }
    return real(at, bytes, advice);
}

extern "C" int mprotect(void* at, std::size_t bytes, int access) {
    static auto* const real = next<int(void*, std::size_t, int)>("mprotect");
    if (fails(kMprotect)) {
        errno = ENOMEM;
        return -1;
    }
    return real(at, bytes, access);
}
