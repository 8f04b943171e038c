#include "core/parcel.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

namespace {

using scheduler::core::Parcel;

static_assert(!std::is_copy_constructible_v<Parcel> && !std::is_copy_assignable_v<Parcel>);
static_assert(std::is_nothrow_move_constructible_v<Parcel>);
static_assert(std::is_nothrow_move_assignable_v<Parcel>);

TEST(Parcel, NewOneIsEmpty) {
    Parcel parcel;
    EXPECT_TRUE(parcel.empty());
    EXPECT_EQ(parcel.kind(), Parcel::Kind::kEmpty);
    EXPECT_EQ(parcel.payload(), nullptr);
    EXPECT_EQ(parcel.take_payload(), nullptr);
}

class FullParcel : public testing::TestWithParam<Parcel::Kind> {
  protected:
    int object_ = 0;
};

TEST_P(FullParcel, TakePayloadEmptiesIt) {
    Parcel parcel(GetParam(), &object_);
    EXPECT_FALSE(parcel.empty());
    EXPECT_EQ(parcel.kind(), GetParam());
    EXPECT_EQ(parcel.payload(), &object_);
    EXPECT_EQ(parcel.take_payload(), &object_);
    EXPECT_TRUE(parcel.empty());
    EXPECT_EQ(parcel.payload(), nullptr);
}

TEST_P(FullParcel, MovesLeaveTheSourceEmpty) {
    Parcel first(GetParam(), &object_);
    Parcel second(std::move(first));
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is tested
    Parcel third;
    third = std::move(second);
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(third.kind(), GetParam());
    EXPECT_EQ(third.take_payload(), &object_);
}

// A receiver may be given nullptr, which is not the same as nothing.
TEST_P(FullParcel, NullPayloadIsStillAPayload) {
    Parcel parcel(GetParam(), nullptr);
    EXPECT_FALSE(parcel.empty());
    EXPECT_EQ(parcel.take_payload(), nullptr);
    EXPECT_TRUE(parcel.empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, FullParcel,
                         testing::Values(Parcel::Kind::kValue, Parcel::Kind::kError));

#ifndef NDEBUG
TEST(ParcelDeathTest, RefusesToLoseItsPayload) {
    int object = 0;
    EXPECT_DEATH({ Parcel parcel(Parcel::Kind::kValue, &object); }, "payload inside");
    EXPECT_DEATH(
        {
            Parcel parcel(Parcel::Kind::kValue, &object);
            parcel = Parcel();
        },
        "overwritten");
}
#endif

}  // namespace
