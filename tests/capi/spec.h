// The rules that a test pins, as SPEC(id, id, ...) with quoted ids: read by the rule collector of
// the Python suite, and kept in GoogleTest's XML report.
#pragma once

#include <gtest/gtest.h>

#define SPEC(...) ::testing::Test::RecordProperty("spec", #__VA_ARGS__)
