// Tasklets that wait for several channels at once, and all who meet them.

#include "core/select.h"

#include <gtest/gtest.h>

#include <array>

#include "model_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::kNever;
using scheduler::core::Parcel;
using scheduler::core::SelectCase;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::ModelThread;
using scheduler::core::explore::Outcome;
using scheduler::core::explore::Program;
using scheduler::core::explore::Value;
namespace mail = scheduler::core::mail;

constexpr std::int64_t kSomeTime = 1;

SelectCase receiving(Channel& channel) { return {channel, Direction::kReceive}; }
SelectCase sending(Channel& channel, Value& value) {
    return {channel, Direction::kSend, Parcel(Parcel::Kind::kValue, &value)};
}

class OfTwoChannels : public Program {
  public:
    void check_end() override {
        expect(a_.balance() == 0 && b_.balance() == 0, "somebody is left in a wait queue");
        for (const Value& value : values_) {
            expect(value.arrivals <= 1, "a value has arrived twice");
        }
    }

  protected:
    Channel a_, b_;
    std::array<Value, 2> values_;
    std::array<ModelThread, 2> threads_;
};

// One that receives from either, as the other sends to one of them.
class ServedByASender : public OfTwoChannels {
  public:
    explicit ServedByASender(std::int64_t deadline) : deadline_(deadline) {
        add_thread([this] {
            SelectCase on_a = receiving(a_), on_b = receiving(b_);
            done_ = threads_[0].select({&on_a, &on_b}, deadline_) != nullptr;
            threads_[0].end();
        });
        add_thread([this] {
            const bool may_wait = deadline_ == kNever;
            sent_ = threads_[1].send(b_, values_[0], kNever, may_wait) == Outcome::kServed;
            threads_[1].end();
        });
    }
    void check_end() override {
        OfTwoChannels::check_end();
        expect(done_ == sent_ && (deadline_ != kNever || done_), "one side has not noticed");
        expect(values_[0].arrivals == (sent_ ? 1 : 0), "the value is lost");
    }

  private:
    const std::int64_t deadline_;
    bool done_ = false;
    bool sent_ = false;
};

TEST(SelectModel, IsServedByASender) { expect_passed(explore<ServedByASender>({}, kNever), 100); }
TEST(SelectModel, TimesOutAsItIsServed) {
    expect_passed(explore<ServedByASender>({}, kSomeTime), 300);
}

// The two channels have a sender each; the receiver takes both values, one after the other.
class ServedByTwoSenders : public OfTwoChannels {
  public:
    ServedByTwoSenders() {
        add_thread([this] {
            for (int i = 0; i < 2; ++i) {
                SelectCase on_a = receiving(a_), on_b = receiving(b_);
                expect(receiver_.select({&on_a, &on_b}) != nullptr, "a select fails");
            }
            receiver_.end();
        });
        add_sender(0, a_);
        add_sender(1, b_);
    }
    void check_end() override {
        OfTwoChannels::check_end();
        for (const Value& value : values_) expect(value.arrivals == 1, "a value is lost");
    }

  private:
    void add_sender(std::size_t number, Channel& channel) {
        add_thread([this, number, &channel] {
            ModelThread& thread = threads_[number];
            expect(thread.send(channel, values_[number]) == Outcome::kServed, "a send fails");
            thread.end();
        });
    }
    ModelThread receiver_;
};

TEST(SelectModel, IsServedByTwoSenders) {
    expect_passed(explore<ServedByTwoSenders>({.preemptions = 2}), 1'000);
}

// A buffer with room for one: of two values sent there the second finds room if the first is received.
class ThroughABuffer : public OfTwoChannels {
  public:
    explicit ThroughABuffer(std::int64_t deadline) : deadline_(deadline) {
        a_.make_buffer(1);
        add_thread([this] {
            SelectCase on_a = receiving(a_), on_b = receiving(b_);
            received_ = threads_[0].select({&on_b, &on_a}, deadline_) != nullptr;
            threads_[0].end();
        });
        add_thread([this] {
            expect(threads_[1].send(a_, values_[0]) == Outcome::kServed, "there was room");
            SelectCase on_a = sending(a_, values_[1]), on_b = receiving(b_);
            sent_ = threads_[1].select({&on_b, &on_a}, deadline_) != nullptr;
            threads_[1].end();
        });
    }
    void check_end() override {
        expect(deadline_ != kNever || (received_ && sent_), "a select fails");
        expect(received_ || !sent_, "sent without room");
        expect(values_[0].arrivals == (received_ ? 1 : 0), "the oldest");
        expect(values_[1].arrivals == 0, "the newest");
        const int left = 1 + (sent_ ? 1 : 0) - (received_ ? 1 : 0);
        expect(a_.balance() == left, "a value is lost");
        for (int i = 0; i < left; ++i) a_.drop_buffered().take_payload();
        OfTwoChannels::check_end();
    }

  private:
    const std::int64_t deadline_;
    bool received_ = false;
    bool sent_ = false;
};

TEST(SelectModel, IsServedThroughABuffer) {
    expect_passed(explore<ThroughABuffer>({.preemptions = 2}, kNever), 100);
}
TEST(SelectModel, TimesOutAtABuffer) {
    expect_passed(explore<ThroughABuffer>({.preemptions = 2}, kSomeTime), 300);
}

// Two that could meet on either channel, in opposite directions: on one of them they do.
class Meeting : public OfTwoChannels {
  public:
    Meeting() {
        add_thread([this] {
            SelectCase on_a = sending(a_, values_[0]), on_b = receiving(b_);
            const SelectCase* const done = threads_[0].select({&on_a, &on_b});
            expect(done != nullptr, "a select fails");
            first_on_a_ = done == &on_a;
            threads_[0].end();
        });
        add_thread([this] {
            SelectCase on_b = sending(b_, values_[1]), on_a = receiving(a_);
            const SelectCase* const done = threads_[1].select({&on_b, &on_a});
            expect(done != nullptr, "a select fails");
            second_on_a_ = done == &on_a;
            threads_[1].end();
        });
    }
    void check_end() override {
        OfTwoChannels::check_end();
        expect(first_on_a_ == second_on_a_, "they have met on different channels");
        expect(values_[0].arrivals == (first_on_a_ ? 1 : 0), "the value sent to a");
        expect(values_[1].arrivals == (first_on_a_ ? 0 : 1), "the value sent to b");
    }

  private:
    bool first_on_a_ = false;
    bool second_on_a_ = false;
};

TEST(SelectModel, MeetsAnother) { expect_passed(explore<Meeting>({}), 100); }

// The same channel for both directions, on both sides.
class MeetingOnOne : public OfTwoChannels {
  public:
    MeetingOnOne() {
        for (std::size_t i = 0; i < 2; ++i) {
            add_thread([this, i] {
                SelectCase to = sending(a_, values_[i]), from = receiving(a_);
                const SelectCase* const done = threads_[i].select({&to, &from});
                expect(done != nullptr, "a select fails");
                sent_[i] = done == &to;
                threads_[i].end();
            });
        }
    }
    void check_end() override {
        OfTwoChannels::check_end();
        expect(sent_[0] != sent_[1], "one sends and one receives");
        for (std::size_t i = 0; i < 2; ++i) {
            expect(values_[i].arrivals == (sent_[i] ? 1 : 0), "a value is lost");
        }
    }

  private:
    std::array<bool, 2> sent_{};
};

TEST(SelectModel, MeetsAnotherOnOneChannelForBoth) { expect_passed(explore<MeetingOnOne>({}), 50); }

// Two that receive from both channels, and one value for each.
class TwoReceivers : public OfTwoChannels {
  public:
    TwoReceivers() {
        for (std::size_t i = 0; i < 2; ++i) {
            add_thread([this, i] {
                SelectCase on_a = receiving(a_), on_b = receiving(b_);
                const bool done = threads_[i].select(i == 0 ? std::vector{&on_a, &on_b}
                                                            : std::vector{&on_b, &on_a}) != nullptr;
                expect(done, "a select fails");
                threads_[i].end();
            });
        }
        add_thread([this] {
            expect(sender_.send(a_, values_[0]) == Outcome::kServed, "a send fails");
            expect(sender_.send(b_, values_[1]) == Outcome::kServed, "a send fails");
            sender_.end();
        });
    }
    void check_end() override {
        OfTwoChannels::check_end();
        for (const Value& value : values_) expect(value.arrivals == 1, "a value is lost");
    }

  private:
    ModelThread sender_;
};

TEST(SelectModel, TwoReceiversTakeOneEach) {
    expect_passed(explore<TwoReceivers>({.preemptions = 2}), 1'000);
}

// One that waits for two channels, to receive from the first or to send to the second, as the partner of
// one comes and the other is closed with all who wait there woken.
class ClosedAsItIsServed : public OfTwoChannels {
  public:
    explicit ClosedAsItIsServed(Direction direction) : sends_(direction == Direction::kSend) {
        add_thread([this] {
            SelectCase on_a = receiving(a_), on_b = sending(b_, values_[1]);
            const SelectCase* const done = threads_[0].select({&on_a, &on_b});
            done_ = done != nullptr;
            expect(!done_ || (done == &on_b) == sends_, "the closed one is done");
            threads_[0].end();
        });
        add_thread([this] {
            partner_ = (sends_ ? threads_[1].receive(b_, kNever, false)
                               : threads_[1].send(a_, values_[0], kNever, false));
            threads_[1].end();
        });
        add_thread([this] {
            closer_.close_and_wake(sends_ ? a_ : b_);
            closer_.end();
        });
    }
    void check_end() override {
        OfTwoChannels::check_end();
        expect(done_ == (partner_ == Outcome::kServed), "one side has not noticed");
        expect(values_[sends_ ? 1 : 0].arrivals == (done_ ? 1 : 0), "the value is lost");
        expect((sends_ ? a_ : b_).closed(), "nobody waits, and the channel is not closed");
    }

  private:
    const bool sends_;
    bool done_ = false;
    Outcome partner_ = Outcome::kNone;
    ModelThread closer_;
};

TEST(SelectModel, ASenderIsAmongItsCasesAsTheOtherChannelIsClosed) {
    expect_passed(explore<ClosedAsItIsServed>({.preemptions = 2}, Direction::kReceive), 1'000);
}
TEST(SelectModel, AReceiverIsAmongItsCasesAsTheOtherChannelIsClosed) {
    expect_passed(explore<ClosedAsItIsServed>({.preemptions = 2}, Direction::kSend), 1'000);
}

// An error is posted to one that waits, as another thread serves it, or it is served first and has
// both.
class Killing : public OfTwoChannels {
  public:
    Killing() {
        threads_[0].manager().add_reference();
        add_thread([this] {
            SelectCase on_a = receiving(a_), on_b = receiving(b_);
            done_ = threads_[0].select({&on_a, &on_b}) != nullptr;
            threads_[0].end();
        });
        add_thread([this] {
            sent_ = threads_[1].send(b_, values_[0], kNever, false) == Outcome::kServed;
            threads_[1].end();
        });
        add_thread([this] {
            auto& victim =
                static_cast<scheduler::core::explore::ModelTasklet&>(threads_[0].manager().main());
            victim.posted.put({this, true});
            threads_[0].manager().post(victim, mail::kError);
            threads_[0].manager().drop_reference();
        });
    }
    void check_end() override {
        OfTwoChannels::check_end();
        expect(done_ == sent_, "one side has not noticed");
        expect(values_[0].arrivals == (sent_ ? 1 : 0), "the value is lost");
    }

  private:
    bool done_ = false;
    bool sent_ = false;
};

TEST(SelectModel, IsKilledAsItIsServed) {
    expect_passed(explore<Killing>({.preemptions = 2}), 1'000);
}

}  // namespace
