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
    // Takes over the caller's ownership of `payload`.
    Parcel(Kind kind, void* payload) : payload_(payload), kind_(kind) {}
    Parcel(Parcel&& other) noexcept
        : payload_(std::exchange(other.payload_, nullptr)),
          kind_(std::exchange(other.kind_, Kind::kEmpty)) {}
    Parcel& operator=(Parcel&& other) noexcept {
        SCHED_DCHECK(empty(), "a parcel would be overwritten and its payload lost");
        payload_ = std::exchange(other.payload_, nullptr);
        kind_ = std::exchange(other.kind_, Kind::kEmpty);
        return *this;
    }
    Parcel(const Parcel&) = delete;
    Parcel& operator=(const Parcel&) = delete;
    ~Parcel() { SCHED_DCHECK(empty(), "a parcel is destroyed with its payload inside"); }

    bool empty() const { return kind_ == Kind::kEmpty; }
    Kind kind() const { return kind_; }
    void* payload() const { return payload_; }

    // Empties the parcel; the caller owns the payload from here on.
    void* take_payload() {
        kind_ = Kind::kEmpty;
        return std::exchange(payload_, nullptr);
    }

  private:
    void* payload_ = nullptr;
    Kind kind_ = Kind::kEmpty;
};

}  // namespace scheduler::core
