// A channel with a buffer: what is kept there, and what happens when it is full or empty.

#include <gtest/gtest.h>

#include <vector>

#include "test_host.h"

namespace {

using scheduler::core::Channel;
using scheduler::core::Direction;
using scheduler::core::Parcel;
using scheduler::core::ParcelRing;
using scheduler::core::RendezvousResult;
using scheduler::core::testing::make_parcel;
using scheduler::core::testing::open_parcel;
using scheduler::core::testing::ThreadTest;

int pop(ParcelRing& ring) {
    Parcel parcel = ring.pop_front();
    return open_parcel(parcel);
}

TEST(ParcelRing, KeepsWhatItIsGivenInOrderAllTheWayRound) {
    ParcelRing ring(3);
    int next = 0;
    for (int i = 0; i < 10; ++i) {
        while (!ring.full()) ring.push_back(make_parcel(next++));
        EXPECT_EQ(ring.size(), 3U);
        std::vector<int> seen;
        ring.visit([&seen](const Parcel&) {
            seen.push_back(0);
            return seen.size() < 2;
        });
        EXPECT_EQ(seen.size(), 2U);
        EXPECT_EQ(pop(ring), next - 3);
        EXPECT_EQ(pop(ring), next - 2);
    }
    EXPECT_EQ(pop(ring), next - 1);
    EXPECT_TRUE(ring.empty());
}

TEST(ParcelRing, RefusesWhatIsMoreThanThereIs) {
    EXPECT_THROW(ParcelRing(~std::size_t{0}), std::bad_alloc);
    EXPECT_THROW(ParcelRing(~std::size_t{0} / sizeof(Parcel)), std::bad_alloc);
}

class ChannelBuffer : public ThreadTest {
  protected:
    ChannelBuffer() { channel_.make_buffer(1); }

    RendezvousResult send(int number) {
        Parcel parcel = make_parcel(number);
        const auto match =
            channel_.rendezvous(Direction::kSend, thread_.manager().main(), parcel, false);
        if (!parcel.empty()) open_parcel(parcel);
        return match.result;
    }
    RendezvousResult receive(int* number) {
        Parcel parcel;
        const auto match =
            channel_.rendezvous(Direction::kReceive, thread_.manager().main(), parcel, false);
        if (!parcel.empty()) *number = open_parcel(parcel);
        if (auto* const own = match.own_partner()) thread_.manager().make_runnable(*own, false);
        return match.result;
    }

    Channel channel_;
};

TEST_F(ChannelBuffer, TakesAndGivesWithoutAPartner) {
    int got = 0;
    EXPECT_EQ(receive(&got), RendezvousResult::kWouldBlock);
    EXPECT_EQ(send(7), RendezvousResult::kBuffered);
    EXPECT_EQ(channel_.balance(), 1);
    EXPECT_TRUE(channel_.would_block(Direction::kSend));
    EXPECT_FALSE(channel_.would_block(Direction::kReceive));
    EXPECT_FALSE(channel_.has_partner(Direction::kReceive));
    EXPECT_EQ(send(8), RendezvousResult::kWouldBlock);
    EXPECT_EQ(receive(&got), RendezvousResult::kBuffered);
    EXPECT_EQ(got, 7);
    EXPECT_EQ(channel_.balance(), 0);
}

TEST_F(ChannelBuffer, IsFilledUpByASenderThatWaits) {
    EXPECT_EQ(send(1), RendezvousResult::kBuffered);
    thread_.make("sender", [this] { thread_.send(channel_, 2); });
    thread_.run();
    EXPECT_EQ(channel_.balance(), 2);
    int got = 0;
    EXPECT_EQ(receive(&got), RendezvousResult::kMatched);
    EXPECT_EQ(got, 1);
    EXPECT_EQ(channel_.count_buffered(), 1U);
    thread_.run();
    EXPECT_EQ(receive(&got), RendezvousResult::kBuffered);
    EXPECT_EQ(got, 2);
}

TEST_F(ChannelBuffer, IsClosedWhenItIsEmpty) {
    EXPECT_EQ(send(1), RendezvousResult::kBuffered);
    channel_.close();
    EXPECT_FALSE(channel_.closed());
    int got = 0;
    EXPECT_EQ(receive(&got), RendezvousResult::kBuffered);
    EXPECT_TRUE(channel_.closed());
    EXPECT_EQ(send(2), RendezvousResult::kWouldBlock);
    EXPECT_EQ(channel_.capacity(), 1U);
}

}  // namespace
