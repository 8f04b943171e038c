// The envelope in which a channel carries one object from a sender to a receiver.
//
// The core moves envelopes and never opens or destroys one: dropping a payload may run arbitrary
// code of the host, which must not happen while a channel is locked.
#pragma once

#include <cstdint>
#include <utility>

#include "check.h"

namespace scheduler::core {

class Parcel {
  public:
    enum class Kind : std::uint8_t {
        kEmpty,
        kValue,  // the receiver returns the payload
        kError,  // the receiver raises the payload
    };

    Parcel() = default;
    // Takes over the caller's ownership of `payload`, an address that is a multiple of 4 or null.
    Parcel(Kind kind, void* payload)
        : word_(reinterpret_cast<std::uintptr_t>(payload) | static_cast<std::uintptr_t>(kind)) {
        SCHED_DCHECK(this->payload() == payload, "a payload at an odd address");
    }
    Parcel(Parcel&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
    Parcel& operator=(Parcel&& other) noexcept {
        SCHED_DCHECK(empty(), "a parcel would be overwritten and its payload lost");
        word_ = std::exchange(other.word_, 0);
        return *this;
    }
    Parcel(const Parcel&) = delete;
    Parcel& operator=(const Parcel&) = delete;
    ~Parcel() { SCHED_DCHECK(empty(), "a parcel is destroyed with its payload inside"); }

    bool empty() const { return word_ == 0; }
    Kind kind() const { return static_cast<Kind>(word_ & kKinds); }
    void* payload() const {
        return reinterpret_cast<void*>(word_ & ~kKinds);  // NOLINT(performance-no-int-to-ptr)
    }

    // Empties the parcel; the caller owns the payload from here on.
    void* take_payload() {
        void* const taken = payload();
        word_ = 0;
        return taken;
    }

  private:
    static constexpr std::uintptr_t kKinds = 3;  // in the place of bits that are 0 in all payloads

    std::uintptr_t word_ = 0;
};

}  // namespace scheduler::core
