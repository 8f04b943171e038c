// Model threads with schedule managers: what test_host.h is to tests on real threads, without stacks for
// tasklets. A model thread acts as the main tasklet of its manager, and keeps the books for others.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <vector>

#include "core/channel.h"
#include "core/manager.h"
#include "core/select.h"
#include "explorer.h"

namespace scheduler::core::explore {

// All executions have passed, and there were some.
inline void expect_passed(const Result& result, long at_least) {
    const long different = result.executions - result.redundant;
    std::cout << "explored: " << different << " interleavings, and " << result.redundant
              << " that differ from one of them in the order of independent steps\n";
    ::testing::Test::RecordProperty("interleavings", std::to_string(different));
    if (!result.failure.empty()) ADD_FAILURE() << result.failure;
    const bool is_replay = std::getenv("EXPLORE_REPLAY") != nullptr;
    EXPECT_GE(different, is_replay ? 1 : at_least);
}

struct ModelTasklet : Tasklet {
    Atomic<int> references{1};
    std::uint32_t asked = 0;  // what its owner has read in its mail
    bool pending = false;  // with an error that was posted
    int managers_freed = 0;  // of a main tasklet
};

inline ModelTasklet& body_of(Tasklet& tasklet) { return static_cast<ModelTasklet&>(tasklet); }

// A payload is the address of a value, with a count of how often it has arrived.
struct Value {
    int arrivals = 0;
};

// What came of a send or receive.
enum class Outcome : std::uint8_t {
    kNone,  // nothing yet
    kServed,
    kRefused,  // would have had to wait, and was not allowed to
    kGaveUp,  // timed out, or was told to end
};

class ModelThread {
  public:
    ModelThread() : manager_(new ScheduleManager(kHost, main_, kMinStackBytes)) {}
    // Its manager has been freed, by whoever was the last to use it.
    ~ModelThread() { SCHED_CHECK(main_.managers_freed == 1, "a manager is not freed once"); }
    ModelThread(const ModelThread&) = delete;
    ModelThread& operator=(const ModelThread&) = delete;

    ScheduleManager& manager() { return *manager_; }
    ModelTasklet& main() { return main_; }

    // ---- before the exploration begins
    // A tasklet of this thread that has started, in no queue and no wait queue.
    void adopt(ModelTasklet& tasklet) {
        tasklet.manager = manager_;
        tasklet.state.become_new();
        tasklet.state.start_turn();
        tasklet.state.end_turn();
        tasklet.paused = true;
    }
    // The same, in the wait queue of a channel.
    void adopt_waiting(ModelTasklet& tasklet, Channel& channel, Direction direction) {
        adopt(tasklet);
        insert(tasklet);
        tasklet.state.start_turn();
        const Rendezvous match = channel.rendezvous(direction, tasklet, true);
        SCHED_CHECK(match.result == RendezvousResult::kEnqueued, "somebody is in the line already");
    }

    // ---- the thread itself
    void insert(ModelTasklet& tasklet) {
        if (manager().insert(tasklet)) retain(tasklet);
    }
    // One that has just been taken out: the wait queue's reference becomes the queue's.
    void insert_waiting(ModelTasklet& tasklet) {
        expect(manager().insert(tasklet), "out of the line, and cannot be queued");
    }
    void remove(ModelTasklet& tasklet) {
        if (manager().take_out(tasklet)) release(tasklet);
    }
    void read_mail() {
        while (manager().has_mail()) {
            const Mail message = manager().take_mail();
            if (message.tasklet == nullptr) return;
            ModelTasklet& tasklet = body_of(*message.tasklet);
            tasklet.asked |= message.bits;
            if ((message.bits & mail::kError) != 0 && tasklet.posted.take().error != nullptr) {
                tasklet.pending = true;
            }
            for (int i = 0; i < message.references; ++i) release(tasklet);
        }
    }
    // Does what its mail asks for, and nothing else, until `done()`. Any other result than kNotified:
    // that is why it has given up.
    template <typename Done>
    Wakeup park_until(Done done, std::int64_t deadline = kNever) {
        for (;;) {
            read_mail();
            if (done()) return Wakeup::kNotified;
            manager().parking().announce();
            if (manager().has_mail()) {
                manager().parking().cancel();
                continue;
            }
            const Wakeup wakeup = manager().parking().wait(deadline);
            if (wakeup != Wakeup::kNotified) return wakeup;
        }
    }
    // Main sends `value`. `deadline`: until when it waits for a receiver.
    Outcome send(Channel& channel, Value& value, std::int64_t deadline = kNever,
                 bool may_wait = true) {
        Parcel parcel(Parcel::Kind::kValue, &value);
        const Outcome outcome = transfer(channel, Direction::kSend, parcel, deadline, may_wait);
        const bool is_back = parcel.take_payload() != nullptr;
        expect(is_back == (outcome != Outcome::kServed), "the parcel is not where it should be");
        return outcome;
    }
    Outcome receive(Channel& channel, std::int64_t deadline = kNever, bool may_wait = true) {
        Parcel parcel;
        const Outcome outcome = transfer(channel, Direction::kReceive, parcel, deadline, may_wait);
        expect(open(parcel) == (outcome == Outcome::kServed), "a parcel is lost");
        return outcome;
    }
    // Nobody of this thread waits there.
    void close_and_wake(Channel& channel) {
        std::vector<Served> released;
        std::size_t count = 0;
        while ((count = channel.close_and_release(manager(), released)) > released.size()) {
            released.resize(count);
        }
        for (std::size_t i = 0; i < count; ++i) {
            expect(Channel::finish(released[i]).own_partner() == nullptr,
                   "a partner of this thread");
        }
    }
    // One of `cases`, which is returned, or nullptr: by then none has been done. Parcels of those that
    // send are empty afterwards; the value of one that receives has arrived.
    SelectCase* select(std::vector<SelectCase*> cases, std::int64_t deadline = kNever,
                       bool may_wait = true) {
        std::vector<Channel*> locks(cases.size());
        Wait wait(main_);
        manager().begin_wait(wait, kNever);
        Selection selection = core::select(wait, cases, 0, locks, [may_wait] { return may_wait; });
        if (selection.result == RendezvousResult::kClosing) selection.done = nullptr;
        Parcel* received = selection.done != nullptr ? &selection.done->parcel : nullptr;
        if (selection.result == RendezvousResult::kEnqueued) {
            wait_for_select(deadline);
            selection.done = is_closed(wait.served) ? nullptr : wait.served;
            received = &main_.parcel;
        }
        manager().end_wait(wait);
        for (const SelectCase* one : cases) expect(!one->linked(), "a case is left behind");
        SelectCase* const done = selection.done;
        const bool receives = done != nullptr && done->direction == Direction::kReceive;
        expect((received != nullptr && open(*received)) == receives, "a parcel is lost");
        for (SelectCase* one : cases) {
            if (one->direction == Direction::kReceive) continue;
            const bool is_back = one->parcel.take_payload() != nullptr;
            expect(is_back == (one != done), "the parcel is not where it should be");
        }
        return done;
    }
    // The wait of main is over by this case: because its channel was closed?
    bool is_closed(const SelectCase* served) const {
        if (served == nullptr) return false;
        return served->direction == Direction::kReceive ? main_.parcel.empty()
                                                        : !served->parcel.empty();
    }
    // Takes what was received out of its parcel. False: nothing was.
    static bool open(Parcel& parcel) {
        auto* const value = static_cast<Value*>(parcel.take_payload());
        if (value != nullptr) ++value->arrivals;
        return value != nullptr;
    }
    // As a host ends a thread, all of whose tasklets are dead.
    void end() {
        manager().finish();
        read_mail();
        expect(!manager().has_mail(), "mail is left behind");
        manager().drop_reference();
    }

  private:
    // To count orders nothing: TSan must not see more order than there is.
    static void retain(Tasklet& tasklet) {
        body_of(tasklet).references.fetch_add(1, std::memory_order_relaxed);
    }
    static bool try_retain(Tasklet& tasklet) {
        Atomic<int>& references = body_of(tasklet).references;
        int count = references.load(std::memory_order_relaxed);
        while (count != 0 &&
               !references.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) {
        }
        return count != 0;
    }
    static void release(Tasklet& tasklet) {
        const int before = body_of(tasklet).references.fetch_sub(1, std::memory_order_acq_rel);
        expect(before > 1, "one reference too many is dropped");
    }
    static void destroy(ScheduleManager& manager) {
        ++body_of(manager.main()).managers_freed;
        delete &manager;
    }
    static constexpr Host kHost{retain, try_retain, release, destroy};

    Outcome transfer(Channel& channel, Direction direction, Parcel& parcel, std::int64_t deadline,
                     bool may_wait) {
        switch (channel.rendezvous(direction, main_, parcel, may_wait).result) {
            case RendezvousResult::kMatched:  // never: no thread has two who meet
            case RendezvousResult::kMatchedRemote:
            case RendezvousResult::kBuffered:
                return Outcome::kServed;
            case RendezvousResult::kWouldBlock:
            case RendezvousResult::kClosing:
                return Outcome::kRefused;
            case RendezvousResult::kEnqueued:
                wait_in_line(channel, deadline);
                parcel = std::move(main_.parcel);
                break;
        }
        const bool served = parcel.empty() == (direction == Direction::kSend);
        return served ? Outcome::kServed : Outcome::kGaveUp;
    }
    // Until main is served, cancelled, told to end, or out of patience.
    void wait_in_line(Channel& channel, std::int64_t deadline) {
        const auto is_out = [&] {
            if (main_.pending) cancel_wait(channel);
            return main_.get_state() == TaskletState::kRunning;
        };
        if (park_until(is_out, deadline) == Wakeup::kNotified || cancel_wait(channel)) return;
        // Whoever has taken main out of the wait queue has posted that before the channel was free.
        read_mail();
        expect(main_.get_state() == TaskletState::kRunning,
               "no mail for one who was taken out of the line");
    }
    void wait_for_select(std::int64_t deadline) {
        const auto is_out = [this] {
            if (main_.pending && core::cancel_wait(main_)) main_.state.go_on();
            return main_.get_state() == TaskletState::kRunning;
        };
        if (park_until(is_out, deadline) == Wakeup::kNotified) return;
        if (core::cancel_wait(main_)) {
            main_.state.go_on();
            return;
        }
        // Whoever has claimed the wait is about to post main.
        while (main_.get_state() != TaskletState::kRunning) park_until(is_out);
    }
    bool cancel_wait(Channel& channel) {
        if (!channel.cancel_wait(main_)) return false;
        main_.state.go_on();
        return true;
    }

    ModelTasklet main_;
    ScheduleManager* manager_;
};

}  // namespace scheduler::core::explore
