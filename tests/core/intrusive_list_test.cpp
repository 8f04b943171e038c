#include "core/intrusive_list.h"

#include <gtest/gtest.h>

#include <string>

#include "core/tasklet.h"

namespace {

using scheduler::core::Tasklet;
using scheduler::core::TaskletQueue;

class IntrusiveListTest : public testing::Test {
  protected:
    char name_of(const Tasklet* tasklet) const {
        return tasklet == &a_ ? 'a' : tasklet == &b_ ? 'b' : tasklet == &c_ ? 'c' : '?';
    }
    // The names in list order, after checking that the way back and the count agree.
    std::string names() {
        std::string forward;
        for (Tasklet* t = list_.front(); t != nullptr; t = list_.after(t)) forward += name_of(t);
        std::string backward;
        for (Tasklet* t = list_.back(); t != nullptr; t = list_.at(t->prev)) {
            backward.insert(backward.begin(), name_of(t));
        }
        EXPECT_EQ(forward, backward);
        EXPECT_EQ(forward.size(), list_.size());
        EXPECT_EQ(forward.empty(), list_.empty());
        return forward;
    }
    void fill() {
        list_.push_back(a_);
        list_.push_back(b_);
        list_.push_back(c_);
    }

    TaskletQueue list_;
    Tasklet a_, b_, c_;
};

using IntrusiveListDeathTest = IntrusiveListTest;

TEST_F(IntrusiveListTest, NewListIsEmpty) {
    EXPECT_EQ(names(), "");
    EXPECT_EQ(list_.front(), nullptr);
    EXPECT_EQ(list_.back(), nullptr);
    EXPECT_EQ(list_.at(list_.head()), nullptr);
}

TEST_F(IntrusiveListTest, PushBackKeepsOrder) {
    fill();
    EXPECT_EQ(names(), "abc");
}

TEST_F(IntrusiveListTest, InsertAfterTheHeadIsTheFront) {
    list_.push_back(a_);
    list_.insert_after(*list_.head(), b_);
    EXPECT_EQ(names(), "ba");
}

TEST_F(IntrusiveListTest, InsertAfterAnEntry) {
    list_.push_back(a_);
    list_.push_back(b_);
    list_.insert_after(a_, c_);
    EXPECT_EQ(names(), "acb");
}

TEST_F(IntrusiveListTest, RemoveFromEveryPlace) {
    fill();
    list_.remove(b_);
    EXPECT_EQ(names(), "ac");
    list_.remove(a_);
    EXPECT_EQ(names(), "c");
    list_.remove(c_);
    EXPECT_EQ(names(), "");
}

TEST_F(IntrusiveListTest, RemovedEntryIsUnlinkedAndCanComeBack) {
    fill();
    EXPECT_TRUE(b_.linked());
    list_.remove(b_);
    EXPECT_FALSE(b_.linked());
    list_.push_back(b_);
    EXPECT_EQ(names(), "acb");
}

TEST_F(IntrusiveListTest, MoveToBack) {
    fill();
    list_.move_to_back(a_);
    EXPECT_EQ(names(), "bca");
    list_.move_to_back(a_);
    EXPECT_EQ(names(), "bca");
}

TEST_F(IntrusiveListTest, OnlyEntryIsFrontAndBack) {
    list_.push_back(a_);
    EXPECT_EQ(list_.front(), &a_);
    EXPECT_EQ(list_.back(), &a_);
    EXPECT_EQ(list_.after(&a_), nullptr);
    EXPECT_EQ(list_.after(list_.head()), &a_);
}

#ifndef NDEBUG
TEST_F(IntrusiveListDeathTest, RefusesASecondMembership) {
    TaskletQueue other;
    list_.push_back(a_);
    EXPECT_DEATH(other.push_back(a_), "two lists");
}

TEST_F(IntrusiveListDeathTest, RefusesToRemoveWhatIsNotThere) {
    EXPECT_DEATH(list_.remove(a_), "not in");
}
#endif

}  // namespace
