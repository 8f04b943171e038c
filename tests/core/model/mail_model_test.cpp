// Mail from other threads: core::Inbox, and what ScheduleManager makes of it.

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "core/inbox.h"
#include "model_host.h"

namespace {

using scheduler::core::Inbox;
using scheduler::core::Tasklet;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::kUnlimited;
using scheduler::core::explore::ModelTasklet;
using scheduler::core::explore::ModelThread;
using scheduler::core::explore::Program;
namespace mail = scheduler::core::mail;

// ---- the inbox alone ---------------------------------------------------------------------------

// Two threads push two tasklets each, while the owner fetches what is there, twice, and closes.
class PushingAndClosing : public Program {
  public:
    explicit PushingAndClosing(int pushes_each) : pushes_each_(pushes_each) {
        for (int poster = 0; poster < 2; ++poster) {
            add_thread([this, poster] {
                for (int i = 0; i < pushes_each_; ++i) {
                    Message& message = messages_.at(poster).at(i);
                    message.accepted = inbox_.push(message);
                }
            });
        }
        add_thread([this] {
            note(inbox_.take_all());
            note(inbox_.take_all());
            note(inbox_.close());
            expect(inbox_.empty() && inbox_.take_all() == nullptr, "a closed inbox has mail");
        });
    }
    void check_end() override {
        for (const auto& messages : messages_) {
            int last_place = 0;
            bool refused = false;
            for (int i = 0; i < pushes_each_; ++i) {
                const Message& message = messages.at(i);
                expect(message.fetched == (message.accepted ? 1 : 0), "fetched unlike accepted");
                if (message.accepted) {
                    expect(!refused, "open again after it was closed");
                    expect(message.place > last_place, "the order of one poster is not kept");
                    last_place = message.place;
                }
                refused = !message.accepted;
            }
        }
    }

  private:
    struct Message : Tasklet {
        bool accepted = false;
        int fetched = 0;
        int place = 0;
    };

    void note(Tasklet* first) {
        for (Tasklet* t = first; t != nullptr; t = t->mail_next) {
            auto& message = static_cast<Message&>(*t);
            ++message.fetched;
            message.place = ++places_;
        }
    }

    const int pushes_each_;
    Inbox inbox_;
    std::array<std::array<Message, 2>, 2> messages_;
    int places_ = 0;
};

TEST(InboxModel, EachTaskletIsFetchedOnceOrRefused) {
    expect_passed(explore<PushingAndClosing>({}, 1), 100);
}

TEST(InboxModel, TheOrderOfOnePosterIsKept) {
    expect_passed(explore<PushingAndClosing>({}, 2), 100'000);
}

// ---- messages to a manager ----------------------------------------------------------------------

// What the other threads ask of one or two tasklets while their owner reads its mail and parks. It ends
// when it has read all that was asked: an overlooked message is a deadlock.
class Posting : public Program {
  public:
    using Bits = std::vector<std::uint32_t>;
    // What each of two posters asks, message by message; of the same tasklet, or of one of its own.
    Posting(Bits first, Bits second, bool same_tasklet) {
        owner_.adopt(tasklets_[0]);
        owner_.adopt(tasklets_[1]);
        posters_ = {{tasklets_[0], std::move(first)},
                    {tasklets_[same_tasklet ? 0 : 1], std::move(second)}};
        for (Poster& poster : posters_) {
            if (poster.bits.empty()) continue;
            for (const std::uint32_t bits : poster.bits) poster.tasklet.get().expect_to_read(bits);
            owner_.manager().add_reference();
            add_thread([this, &poster] {
                for (const std::uint32_t bits : poster.bits) {
                    expect(owner_.manager().post(poster.tasklet, bits), "refused before the end");
                }
                owner_.manager().drop_reference();
            });
        }
        add_thread([this] {
            owner_.park_until(
                [this] { return tasklets_[0].all_read() && tasklets_[1].all_read(); });
            owner_.end();
        });
    }
    void check_end() override {
        for (const Addressee& tasklet : tasklets_) {
            expect(tasklet.references == (tasklet.queued() ? 2 : 1), "references do not add up");
            expect(tasklet.mail.peek() == 0, "mail is left");
        }
    }

  protected:
    struct Addressee : ModelTasklet {
        std::uint32_t expected = 0;
        void expect_to_read(std::uint32_t bits) {
            constexpr std::uint32_t kEither = mail::kInsert | mail::kRemove;
            if ((bits & kEither) != 0) expected &= ~kEither;  // the last word counts
            expected |= bits;
        }
        bool all_read() const { return (asked & expected) == expected; }
    };
    struct Poster {
        std::reference_wrapper<Addressee> tasklet;
        Bits bits;
    };

    ModelThread owner_;
    std::array<Addressee, 2> tasklets_;
    std::vector<Poster> posters_;
};

using Bits = Posting::Bits;

// All interleavings, but with a sanitizer, where an execution takes ten times as long.
#ifdef SCHED_ANY_SANITIZER
constexpr int kPreemptions = 3;
#else
constexpr int kPreemptions = kUnlimited;
#endif

TEST(MailModel, OneThreadAsksTwice) {
    expect_passed(explore<Posting>({}, Bits{mail::kError, mail::kInsert}, Bits{}, true), 1'000);
}
TEST(MailModel, TwoThreadsAskOneTasklet) {
    expect_passed(explore<Posting>({.preemptions = kPreemptions}, Bits{mail::kError},
                                   Bits{mail::kInsert}, true),
                  10'000);
}
TEST(MailModel, TwoThreadsAskTwoTasklets) {
    expect_passed(
        explore<Posting>({.preemptions = 3}, Bits{mail::kInsert}, Bits{mail::kInsert}, false),
        50'000);
}
TEST(MailModel, TwoThreadsAskOneTaskletMoreThanOnce) {
    expect_passed(explore<Posting>({.preemptions = 3}, Bits{mail::kError, mail::kInsert},
                                   Bits{mail::kUnwind}, true),
                  50'000);
}

// The last word of one poster counts.
class InsertingAndRemoving : public Posting {
  public:
    explicit InsertingAndRemoving(bool remove_last)
        : Posting(
              remove_last ? Bits{mail::kInsert, mail::kRemove} : Bits{mail::kRemove, mail::kInsert},
              {}, true),
          remove_last_(remove_last) {}
    void check_end() override {
        Posting::check_end();
        expect(tasklets_[0].queued() != remove_last_, "the last word of the poster is lost");
    }

  private:
    const bool remove_last_;
};

TEST(MailModel, RemovedAfterItWasInserted) {
    expect_passed(explore<InsertingAndRemoving>({}, true), 1'000);
}
TEST(MailModel, InsertedAfterItWasRemoved) {
    expect_passed(explore<InsertingAndRemoving>({}, false), 1'000);
}

// The thread ends while others post, to one tasklet or to two.
class Finishing : public Program {
  public:
    explicit Finishing(bool same_tasklet) : same_tasklet_(same_tasklet) {
        for (int i = 0; i < 2; ++i) {
            owner_.adopt(tasklets_[i]);
            owner_.manager().add_reference();
            add_thread([this, i] {
                accepted_[i] = owner_.manager().post(tasklet_of(i), kAsked[i]);
                owner_.manager().drop_reference();
            });
        }
        add_thread([this] {
            owner_.read_mail();
            owner_.end();
        });
    }
    void check_end() override {
        for (int i = 0; i < 2; ++i) {
            const bool read = (tasklet_of(i).asked & kAsked[i]) != 0;
            expect(accepted_[i] || !read, "read, although it was refused");
            // Who finds the tasklet posted relies on the other one, who may come too late.
            const bool relied = same_tasklet_ && !accepted_[1 - i];
            expect(read || !accepted_[i] || relied, "not read, although it was accepted");
        }
        for (const ModelTasklet& tasklet : tasklets_) {
            expect(tasklet.references == (tasklet.queued() ? 2 : 1), "references do not add up");
        }
    }

  private:
    static constexpr std::uint32_t kAsked[] = {mail::kInsert, mail::kError};

    ModelTasklet& tasklet_of(int poster) { return tasklets_[same_tasklet_ ? 0 : poster]; }

    const bool same_tasklet_;
    ModelThread owner_;
    ModelTasklet tasklets_[2];
    bool accepted_[2] = {false, false};
};

TEST(MailModel, ThreadEndsAsTwoTaskletsArePosted) {
    expect_passed(explore<Finishing>({}, false), 500);
}
TEST(MailModel, ThreadEndsAsOneTaskletIsPostedTwice) {
    expect_passed(explore<Finishing>({}, true), 500);
}

}  // namespace
