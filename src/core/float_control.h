// How the processor computes with floating-point numbers: rounding, flush-to-zero, which errors trap.
//
// These words belong to a stack, as registers do that a callee keeps: code that sets them for a while,
// and switches meanwhile, sets them for itself alone. On x86-64 the jump carries them. On aarch64 it
// does not: there a StoppedFloatControl beside the jump does.
#pragma once

#include <cstdint>

namespace scheduler::core {

#if defined(__x86_64__)

class FloatControl {
  public:
    static FloatControl current() noexcept {
        FloatControl words;
        asm volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(words.mxcsr_), "=m"(words.x87_));
        words.mxcsr_ &= ~kFlags;
        return words;
    }

    // Makes these the running stack's. Rarely is there anything to change, and to compare is cheaper.
    void apply() const noexcept {
        const FloatControl now = current();
        if (now.mxcsr_ != mxcsr_) asm volatile("ldmxcsr %0" : : "m"(mxcsr_));
        // Flags that are up would trap as soon as the new word lets them.
        if (now.x87_ != x87_) asm volatile("fnclex\n\tfldcw %0" : : "m"(x87_));
    }

  private:
    static constexpr std::uint32_t kFlags = 0x3F;  // errors that have happened

    std::uint32_t mxcsr_ = 0;
    std::uint16_t x87_ = 0;
};

class StoppedFloatControl {
  public:
    void restore() const noexcept {}
};

#elif defined(__aarch64__)

class FloatControl {
  public:
    static FloatControl current() noexcept {
        FloatControl words;
        asm volatile("mrs %0, fpcr" : "=r"(words.fpcr_));
        return words;
    }

    // Makes these the running stack's. Rarely is there anything to change, and to compare is cheaper.
    void apply() const noexcept {
        if (current().fpcr_ != fpcr_) asm volatile("msr fpcr, %0" : : "r"(fpcr_));
    }

  private:
    std::uint64_t fpcr_ = 0;
};

// Those of a stack while another one runs.
class StoppedFloatControl {
  public:
    void restore() const noexcept { words_.apply(); }

  private:
    const FloatControl words_ = FloatControl::current();
};

#else

// What this processor has for it is not known here: it stays the thread's.
class FloatControl {
  public:
    static FloatControl current() noexcept { return {}; }
    void apply() const noexcept {}
};

class StoppedFloatControl {
  public:
    void restore() const noexcept {}
};

#endif

}  // namespace scheduler::core
