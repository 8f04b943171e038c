// Waiting for the first of several channels, as Go's select does (Go's runtime, select.go): the locks of
// all channels, in the order of their addresses; a look for a partner; else into all of the wait queues.
#pragma once

#include <cstddef>
#include <span>

#include "channel.h"
#include "wait.h"

namespace scheduler::core {

// There is no partner in a gate, a buffer, or a case that was ready.
struct Selection : Rendezvous {
    SelectCase* done;  // kMatched, kMatchedRemote: it; kClosing: the one whose channel is
};

// Sends or receives by one of `cases`, which are looked at from `first` on, for `wait.tasklet`, the calling
// thread's current tasklet. kEnqueued: nobody is there, and the caller must suspend; afterwards
// `wait.served` is the case that a partner has served, with what was received in the tasklet's parcel, or
// nullptr. `locks` is room for as many pointers as there are cases. `may_wait()` as for
// Channel::rendezvous_or_ask(), but kClosing comes before kWouldBlock.
template <typename MayWait>
Selection select(Wait& wait, std::span<SelectCase*> cases, std::size_t first,
                 std::span<Channel*> locks, MayWait may_wait);

// Ends a wait for one channel or several: the tasklet is kReady. False: it has been served, and if that
// was by this thread or its mail has come, is queued, or, if it is main, running; or it does not wait.
// Its own thread.
bool cancel_wait(Tasklet& tasklet);

// ---- the parts of select()

// All of the locks of the channels, each once.
class SelectLocks {
  public:
    SelectLocks(std::span<SelectCase*> cases, std::span<Channel*> room);
    SelectLocks(const SelectLocks&) = delete;
    SelectLocks& operator=(const SelectLocks&) = delete;
    ~SelectLocks();

  private:
    std::span<Channel*> channels_;  // by address
};

// Under all of the locks: the first case that can be done at once, and what came of it.
struct Found {
    SelectCase* done = nullptr;
    Served served;
};
Found find_done_locked(std::span<SelectCase*> cases, std::size_t first, Tasklet& self);
SelectCase* find_closing_locked(std::span<SelectCase*> cases, std::size_t first);
void enqueue_locked(Wait& wait, std::span<SelectCase*> cases);

template <typename MayWait>
Selection select(Wait& wait, std::span<SelectCase*> cases, std::size_t first,
                 std::span<Channel*> locks, MayWait may_wait) {
    Found found;
    {
        const SelectLocks guard(cases, locks);
        found = find_done_locked(cases, first, wait.tasklet);
        if (found.done == nullptr) {
            const bool waits = may_wait();
            if (SelectCase* closing = find_closing_locked(cases, first)) {
                return {{RendezvousResult::kClosing, nullptr}, closing};
            }
            if (!waits) return {{RendezvousResult::kWouldBlock, nullptr}, nullptr};
            enqueue_locked(wait, cases);
            return {{RendezvousResult::kEnqueued, nullptr}, nullptr};
        }
    }
    return {Channel::finish(found.served), found.done};
}

}  // namespace scheduler::core
