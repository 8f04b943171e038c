// A sender and a receiver on two threads, and those who come between them.

#include "core/channel.h"

#include <gtest/gtest.h>

#include <vector>

#include "model_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::kNever;
using scheduler::core::Parcel;
using scheduler::core::Rendezvous;
using scheduler::core::RendezvousResult;
using scheduler::core::Tasklet;
using scheduler::core::Wait;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::ModelTasklet;
using scheduler::core::explore::ModelThread;
using scheduler::core::explore::Outcome;
using scheduler::core::explore::Program;
using scheduler::core::explore::Value;
namespace mail = scheduler::core::mail;

constexpr std::int64_t kSomeTime = 1;

// Of three threads. With a sanitizer an execution takes ten times as long.
#ifdef SCHED_ANY_SANITIZER
constexpr int kPreemptions = 2;
#else
constexpr int kPreemptions = 3;
#endif

// Senders, and one receiver of all that they send.
class SendersAndReceiver : public Program {
  public:
    SendersAndReceiver(int senders, int values_each, int preference, std::size_t capacity = 0)
        : senders_(static_cast<std::size_t>(senders)) {
        channel_.set_preference(preference);
        if (capacity != 0) channel_.make_buffer(capacity);
        add_thread([this, values = senders * values_each] {
            for (int i = 0; i < values; ++i) {
                expect(receiver_.receive(channel_) == Outcome::kServed, "a receive fails");
            }
            receiver_.end();
        });
        for (Sender& sender : senders_) {
            sender.values.resize(static_cast<std::size_t>(values_each));
            add_thread([this, &sender] {
                for (Value& value : sender.values) {
                    const Outcome outcome = sender.thread.send(channel_, value);
                    expect(outcome == Outcome::kServed, "a send fails");
                }
                sender.thread.end();
            });
        }
    }
    void check_end() override {
        for (const Sender& sender : senders_) {
            for (const Value& value : sender.values) {
                expect(value.arrivals == 1, "a value has not arrived once");
            }
        }
        expect(channel_.balance() == 0, "somebody is left in the line");
    }

  private:
    struct Sender {
        ModelThread thread;
        std::vector<Value> values;
    };

    Channel channel_;
    ModelThread receiver_;
    std::vector<Sender> senders_;
};

class ChannelModelOfPreference : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, ChannelModelOfPreference, testing::Values(-1, 0, 1));

TEST_P(ChannelModelOfPreference, EachValueArrivesOnce) {
    expect_passed(explore<SendersAndReceiver>({}, 1, 1, GetParam()), 200);
}
TEST(ChannelModel, TwoValuesFromOneSender) {
    expect_passed(explore<SendersAndReceiver>({.preemptions = 3}, 1, 2, 0), 10'000);
}
TEST(ChannelModel, OneValueFromEachOfTwoSenders) {
    expect_passed(explore<SendersAndReceiver>({.preemptions = 2}, 2, 1, 0), 10'000);
}

TEST(ChannelModel, ThreeValuesFromOneSenderByWayOfABuffer) {
    expect_passed(explore<SendersAndReceiver>({.preemptions = 3}, 1, 3, 0, 1), 1'000);
}
TEST(ChannelModel, TwoValuesFromEachOfTwoSendersByWayOfABuffer) {
    expect_passed(explore<SendersAndReceiver>({.preemptions = 2}, 2, 2, 0, 1), 10'000);
}

// A sender and a receiver that may fail: both of them, or neither.
class Pair : public Program {
  public:
    void check_end() override {
        expect(received_ == sent_, "one is served, and the other is not");
        expect(value_.arrivals == (sent_ == Outcome::kServed ? 1 : 0), "arrived unlike sent");
        expect(channel_.balance() == 0, "somebody is left in the line");
        expect(receiver_.main().references == 1, "references do not add up");
    }

  protected:
    // As kill() does it to a tasklet of another thread.
    void kill_from_elsewhere(ModelThread& owner, ModelTasklet& tasklet) {
        tasklet.posted.put({&error_, true});
        // Refused if its thread has ended.
        if (!channel_.cancel_remote_wait(tasklet)) owner.manager().post(tasklet, mail::kError);
        owner.manager().drop_reference();
    }

    Channel channel_;
    ModelThread receiver_;
    ModelThread sender_;
    Outcome received_ = Outcome::kNone;
    Outcome sent_ = Outcome::kNone;
    Value value_;
    int error_ = 0;
};

class TimingOut : public Pair {
  public:
    TimingOut() {
        add_thread([this] {
            received_ = receiver_.receive(channel_, kSomeTime);
            receiver_.end();
        });
        add_thread([this] {
            sent_ = sender_.send(channel_, value_, kSomeTime);
            sender_.end();
        });
    }
};

// The buffer is full: the sender has no room if the receiver gives up, and the receiver none but the first.
class TimingOutAtABuffer : public Program {
  public:
    TimingOutAtABuffer() {
        channel_.make_buffer(1);
        add_thread([this] {
            expect(sender_.send(channel_, first_) == Outcome::kServed, "there was room");
            sent_ = sender_.send(channel_, second_, kSomeTime);
            sender_.end();
        });
        add_thread([this] {
            received_ = receiver_.receive(channel_, kSomeTime);
            receiver_.end();
        });
    }
    void check_end() override {
        const bool is_received = received_ == Outcome::kServed;
        expect(first_.arrivals == is_received, "the oldest has not arrived");
        expect(second_.arrivals == 0, "the newest has arrived");
        expect(is_received || sent_ != Outcome::kServed, "sent without room");
        const int left = 1 + (sent_ == Outcome::kServed) - is_received;
        expect(channel_.balance() == left, "a value is lost");
        for (int i = 0; i < left; ++i) channel_.drop_buffered().take_payload();
        expect(channel_.balance() == 0, "somebody is left in the line");
    }

  private:
    Channel channel_;
    ModelThread receiver_;
    ModelThread sender_;
    Outcome received_ = Outcome::kNone;
    Outcome sent_ = Outcome::kNone;
    Value first_;
    Value second_;
};

TEST(ChannelModel, BothTimeOutAtABuffer) { expect_passed(explore<TimingOutAtABuffer>({}), 1'000); }

TEST(ChannelModel, BothTimeOut) { expect_passed(explore<TimingOut>({}), 1'000); }

// Signal handlers raise while both wait: whoever has been served by then succeeds all the same.
TEST(ChannelModel, SignalsComeAsBothTimeOut) {
    expect_passed(explore<TimingOut>({.preemptions = 3, .signals = 1}), 1'000);
}

// Who comes after the channel was closed never waits: not even until a deadline.
class Closing : public Pair {
  public:
    Closing() {
        add_thread([this] {
            received_ = receiver_.receive(channel_);
            receiver_.end();
        });
        add_thread([this] {
            channel_.close();
            sent_ = sender_.send(channel_, value_, kSomeTime);
            sender_.end();
        });
    }
    void check_end() override {
        Pair::check_end();
        expect(channel_.closed(), "nobody waits, and the channel is not closed");
    }
};

TEST(ChannelModel, ClosedAsSomebodyJoins) { expect_passed(explore<Closing>({}), 200); }

// A channel is closed with all who wait there woken, as a sender and a receiver meet, with or without
// deadlines: they have met, or both have failed and the value is where it was.
class ClosingAndWaking : public Pair {
  public:
    explicit ClosingAndWaking(std::int64_t deadline) {
        add_thread([this, deadline] {
            received_ = receiver_.receive(channel_, deadline);
            receiver_.end();
        });
        add_thread([this, deadline] {
            sent_ = sender_.send(channel_, value_, deadline);
            sender_.end();
        });
        add_thread([this] {
            closer_.close_and_wake(channel_);
            closer_.end();
        });
    }
    void check_end() override {
        for (Outcome* outcome : {&received_, &sent_}) {
            if (*outcome == Outcome::kGaveUp) *outcome = Outcome::kRefused;
        }
        Pair::check_end();
        expect(channel_.closed(), "nobody waits, and the channel is not closed");
    }

  private:
    ModelThread closer_;
};

TEST(ChannelModel, ClosedWithAllWokenAsTwoMeet) {
    expect_passed(explore<ClosingAndWaking>({.preemptions = 2}, kNever), 2'000);
}
TEST(ChannelModel, ClosedWithAllWokenAsTheyTimeOut) {
    expect_passed(explore<ClosingAndWaking>({.preemptions = 2}, kSomeTime), 2'000);
}

// A receiver waits, with or without a deadline, while one thread sends to whoever waits and another
// one asks it to end.
class Killing : public Pair {
  public:
    explicit Killing(std::int64_t deadline) {
        receiver_.manager().add_reference();
        add_thread([this, deadline] {
            received_ = receiver_.receive(channel_, deadline);
            receiver_.park_until([this] { return (receiver_.main().asked & mail::kError) != 0; });
            receiver_.end();
        });
        add_thread([this] {
            sent_ = sender_.send(channel_, value_, kNever, false);
            sender_.end();
        });
        add_thread([this] { kill_from_elsewhere(receiver_, receiver_.main()); });
    }
    void check_end() override {
        if (received_ == Outcome::kGaveUp) received_ = Outcome::kRefused;  // as its partner was
        Pair::check_end();
    }
};

TEST(ChannelModel, KilledAsItIsServed) {
    expect_passed(explore<Killing>({.preemptions = kPreemptions}, kNever), 4'000);
}
TEST(ChannelModel, KilledAsItIsServedAndTimesOut) {
    expect_passed(explore<Killing>({.preemptions = kPreemptions}, kSomeTime), 10'000);
}

// Two threads ask a receiver to end, which takes that for one of the other and goes on; the second one
// sends to it afterwards. It may be told once or twice, but not for nothing.
class KillingTwice : public Pair {
  public:
    KillingTwice() {
        for (int i = 0; i < 2; ++i) receiver_.manager().add_reference();
        add_thread([this] {
            while ((received_ = receiver_.receive(channel_)) != Outcome::kServed) {
                expect(receiver_.main().pending, "woken, and nothing has come");
                receiver_.main().pending = false;
            }
            receiver_.end();
        });
        add_thread([this] { kill_from_elsewhere(receiver_, receiver_.main()); });
        add_thread([this] {
            kill_from_elsewhere(receiver_, receiver_.main());
            sent_ = sender_.send(channel_, value_);
            sender_.end();
        });
    }
};

TEST(ChannelModel, KilledTwice) { expect_passed(explore<KillingTwice>({.preemptions = 2}), 4'000); }

// A tasklet that is not its thread's main one waits to receive. Its owner takes it out of the wait
// queue, or lets a timer do so, as another thread sends; a third one may ask it to end at the same
// time. Then the owner ends.
class TakingOut : public Pair {
  public:
    enum class By : std::uint8_t { kTimer, kOwner };

    TakingOut(By by, bool killed) : killed_(killed) {
        receiver_.adopt_waiting(tasklet_, channel_, Direction::kReceive);
        if (by == By::kTimer) receiver_.manager().begin_wait(wait_, kSomeTime);
        add_thread([this, by] {
            by == By::kTimer ? receiver_.manager().fire_timers() : cancel_wait();
            end_tasklet();
            receiver_.end();
        });
        add_thread([this] {
            sent_ = sender_.send(channel_, value_, kNever, false);
            sender_.end();
        });
        if (!killed) return;
        receiver_.manager().add_reference();
        add_thread([this] { kill_from_elsewhere(receiver_, tasklet_); });
    }
    void check_end() override {
        Pair::check_end();
        expect(tasklet_.references == 1, "references do not add up");
        expect(!wait_.timed_out || sent_ == Outcome::kRefused, "timed out, and served");
    }

  private:
    void cancel_wait() {
        if (channel_.cancel_wait(tasklet_)) receiver_.insert_waiting(tasklet_);
        // Served by another thread, or cancelled: that it is queued, however far its mail has come, is
        // what a thread that ends relies on.
        expect(tasklet_.queued(), "out of the line, and not queued");
    }
    void end_tasklet() {
        receiver_.park_until([this] {
            return tasklet_.queued() && (!killed_ || (tasklet_.asked & mail::kError) != 0);
        });
        received_ = ModelThread::open(tasklet_.parcel) ? Outcome::kServed : Outcome::kRefused;
        receiver_.remove(tasklet_);
    }

    const bool killed_;
    ModelTasklet tasklet_;
    Wait wait_{tasklet_};
};

TEST(ChannelModel, TimerTakesOutWhoIsServed) {
    expect_passed(explore<TakingOut>({}, TakingOut::By::kTimer, false), 30);
}
TEST(ChannelModel, TimerTakesOutWhoIsServedAndKilled) {
    expect_passed(explore<TakingOut>({.preemptions = kPreemptions}, TakingOut::By::kTimer, true),
                  4'000);
}
TEST(ChannelModel, OwnerTakesOutWhoIsServed) {
    expect_passed(explore<TakingOut>({}, TakingOut::By::kOwner, false), 15);
}
TEST(ChannelModel, OwnerTakesOutWhoIsServedAndKilled) {
    expect_passed(explore<TakingOut>({.preemptions = kPreemptions}, TakingOut::By::kOwner, true),
                  4'000);
}

// Two come to send, and one looks for a sender, once: the others stay in the wait queue.
class Lining : public Program {
  public:
    Lining() : senders_(2) {
        for (int i = 0; i < 2; ++i) {
            ModelThread& sender = senders_.at(i);
            sender.adopt(tasklets_[i]);
            sender.insert(tasklets_[i]);
            add_thread([this, i] {
                tasklets_[i].parcel = {Parcel::Kind::kValue, &values_[i]};
                const Rendezvous match = channel_.rendezvous(Direction::kSend, tasklets_[i], true);
                expect(match.result == RendezvousResult::kEnqueued, "a sender meets somebody");
            });
        }
        add_thread([this] {
            const Outcome outcome = receiver_.receive(channel_, kNever, false);
            served_ = outcome == Outcome::kServed ? 1 : 0;
            receiver_.end();
        });
    }
    void check_end() override {
        int waiting = 0;
        channel_.visit_waiting([&](Tasklet& tasklet) {
            expect(tasklet.blocked(), "who is in the line is not blocked");
            ++waiting;
            return true;
        });
        expect(waiting == 2 - served_, "somebody is missing in the line");
        expect(channel_.balance() == waiting, "the balance is not the length of the line");
        for (int i = 0; i < 2; ++i) clear(senders_.at(i), tasklets_[i]);
    }

  private:
    void clear(ModelThread& owner, ModelTasklet& tasklet) {
        if (channel_.cancel_wait(tasklet)) owner.insert_waiting(tasklet);
        tasklet.parcel.take_payload();
        owner.remove(tasklet);
        owner.end();
        expect(tasklet.references == 1, "references do not add up");
    }

    Channel channel_;
    std::vector<ModelThread> senders_;
    ModelThread receiver_;
    ModelTasklet tasklets_[2];
    Value values_[2];
    int served_ = 0;
};

TEST(ChannelModel, BalanceIsTheLengthOfTheLine) { expect_passed(explore<Lining>({}), 10'000); }

}  // namespace
