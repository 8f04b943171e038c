// What tests share that run in a process of their own (GoogleTest's "threadsafe" death tests), where no
// other test has touched the interpreter.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "fixture.h"

namespace capi_test {

class DeathTest : public ::testing::Test {
  protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// In the child process: ends it with 1 unless `holds`.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::_Exit(1);
}
#define REQUIRE(condition) require(condition, #condition)

}  // namespace capi_test
