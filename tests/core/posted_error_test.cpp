#include "core/posted_error.h"

#include <gtest/gtest.h>

namespace {

using scheduler::core::PostedError;

struct PostedErrorTest : testing::Test {
    PostedError posted;
    int first = 0;
    int second = 0;
};

TEST_F(PostedErrorTest, IsEmptyAtFirst) {
    EXPECT_TRUE(posted.empty());
    EXPECT_FALSE(posted.kills());
    EXPECT_EQ(posted.take().error, nullptr);
}

TEST_F(PostedErrorTest, IsTakenOnceWithWhatItDoes) {
    for (const bool kills : {false, true}) {
        EXPECT_EQ(posted.put({&first, kills}).error, nullptr);
        EXPECT_FALSE(posted.empty());
        EXPECT_EQ(posted.borrow(), &first);
        EXPECT_EQ(posted.kills(), kills);
        const PostedError::Content taken = posted.take();
        EXPECT_EQ(taken.error, &first);
        EXPECT_EQ(taken.kills, kills);
        EXPECT_TRUE(posted.empty());
    }
}

// The kill goes with the error that it replaces, or is replaced by.
TEST_F(PostedErrorTest, GivesBackWhatItReplaces) {
    posted.put({&first, true});
    const PostedError::Content before = posted.put({&second, false});
    EXPECT_EQ(before.error, &first);
    EXPECT_TRUE(before.kills);
    EXPECT_EQ(posted.borrow(), &second);
    EXPECT_FALSE(posted.kills());
}

}  // namespace
