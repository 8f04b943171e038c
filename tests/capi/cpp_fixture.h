// What the tests of SchedulerCpp.hpp share.
#pragma once

#include <SchedulerCpp.hpp>

#include <string>

#include "fixture.h"

namespace capi_test {

// The text of the PythonError that `action` throws; "" if it throws none.
template <typename Action>
std::string thrown(Action action) {
    try {
        action();
    } catch (const scheduler::PythonError& error) {
        return error.what();
    }
    return "";
}

class CppTest : public CApiTest {
  protected:
    // The value of an expression.
    scheduler::Object python(const char* expression) {
        return scheduler::Object::steal(eval(expression).release());
    }
};

}  // namespace capi_test
