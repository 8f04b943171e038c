// Whether the threads of an interpreter are traced, and by which recorder: see core/trace.h.
//
// A thread takes part from its next scheduling point on at the latest, and leaves at one; with the GIL whoever
// starts or stops a trace does that for all.
#pragma once

#include <Python.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "binding/python/refs.h"
#include "core/lock.h"
#include "core/trace.h"

namespace scheduler::binding {

class TraceSwitch {
  public:
    struct State {
        std::uint64_t serial;
        std::shared_ptr<core::TraceRecorder> recorder;  // empty: there is no trace
    };

    // Another one at each change.
    std::uint64_t serial() const { return serial_.load(std::memory_order_acquire); }
    State get() const {
        core::LockGuard guard(lock_);
        return {serial_.load(std::memory_order_relaxed), recorder_};
    }
    // False: there is a recorder already.
    bool start(const std::shared_ptr<core::TraceRecorder>& recorder) {
        core::LockGuard guard(lock_);
        if (recorder_) return false;
        recorder_ = recorder;
        ++serial_;
        return true;
    }
    // What there was.
    std::shared_ptr<core::TraceRecorder> stop() {
        core::LockGuard guard(lock_);
        ++serial_;
        return std::exchange(recorder_, {});
    }

    // Called without arguments when a thread is in a deadlock, or a tasklet has failed and its thread's main
    // tasklet raises that; empty: nobody asks.
    SharedRef on_failure;

  private:
    mutable core::Lock lock_;
    std::shared_ptr<core::TraceRecorder> recorder_ SCHED_GUARDED_BY(lock_);
    std::atomic<std::uint64_t> serial_{0};
};

}  // namespace scheduler::binding
