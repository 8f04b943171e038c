#include "core/check.h"

#include <gtest/gtest.h>

namespace {

TEST(Check, PassesInSilenceWhenTheConditionHolds) {
    int evaluations = 0;
    SCHED_CHECK(++evaluations == 1, "evaluated once");
    EXPECT_EQ(evaluations, 1);
}

TEST(CheckDeathTest, SaysWhatFailedAndWhereAndAborts) {
    EXPECT_EXIT(SCHED_CHECK(1 + 1 == 3, "sums are off"), testing::KilledBySignal(SIGABRT),
                "check_test.cpp:[0-9]+: check failed: sums are off \\(1 \\+ 1 == 3\\)");
}

TEST(CheckDeathTest, DebugCheckIsThereOnlyWithoutNdebug) {
    int evaluations = 0;
#ifdef NDEBUG
    SCHED_DCHECK(++evaluations == 2, "not evaluated");
    EXPECT_EQ(evaluations, 0);
#else
    SCHED_DCHECK(++evaluations == 1, "evaluated once");
    EXPECT_EQ(evaluations, 1);
    EXPECT_EXIT(SCHED_DCHECK(evaluations == 2, "counted wrongly"), testing::KilledBySignal(SIGABRT),
                "counted wrongly");
#endif
}

TEST(Check, IsAnExpression) {
    const int value = (SCHED_CHECK(true, "holds"), 7);
    EXPECT_EQ(value, 7);
}

}  // namespace
