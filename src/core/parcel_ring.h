// What a channel with a buffer keeps: parcels that have been sent and not yet received, oldest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "check.h"
#include "parcel.h"

namespace scheduler::core {

class ParcelRing {
  public:
    // Room for all of them is made now, so that no send fails for want of memory; what is not used yet takes
    // none. Throws std::bad_alloc.
    explicit ParcelRing(std::size_t capacity) : capacity_(capacity) {
        const bool fits = capacity <= std::size_t{PTRDIFF_MAX} / sizeof(Parcel);
        room_ = fits ? static_cast<Parcel*>(std::malloc(capacity * sizeof(Parcel))) : nullptr;
        if (room_ == nullptr) throw std::bad_alloc();
    }
    ParcelRing(const ParcelRing&) = delete;
    ParcelRing& operator=(const ParcelRing&) = delete;
    ~ParcelRing() {
        SCHED_DCHECK(empty(), "a buffer is destroyed with parcels inside");
        std::free(room_);
    }

    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ == capacity_; }

    // It is not full.
    void push_back(Parcel&& parcel) {
        std::construct_at(&at(size_), std::move(parcel));
        ++size_;
    }
    // It is not empty.
    Parcel pop_front() {
        Parcel& oldest = at(0);
        Parcel taken = std::move(oldest);
        std::destroy_at(&oldest);
        first_ = first_ + 1 == capacity_ ? 0 : first_ + 1;
        --size_;
        return taken;
    }
    template <typename Visit>
    void visit(Visit visit) const {
        for (std::size_t i = 0; i < size_ && visit(at(i)); ++i) {
        }
    }

  private:
    Parcel& at(std::size_t index) const {
        const std::size_t to_end = capacity_ - first_;
        return room_[index < to_end ? first_ + index : index - to_end];
    }

    const std::size_t capacity_;
    Parcel* room_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace scheduler::core
