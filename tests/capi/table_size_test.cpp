// A header and a module of different ages. Each test runs in a process of its own.
#include "own_process.h"

extern "C" int older_program_runs(void);

namespace capi_test {
namespace {

class TableSizeDeathTest : public DeathTest {};

PyObject* find_capsule() {
    return PyObject_GetAttrString(PyImport_ImportModule("scheduler"), "_C_API");
}

void set_size(PyObject* capsule, std::size_t bytes) {
    REQUIRE(PyCapsule_SetContext(capsule, reinterpret_cast<void*>(bytes)) == 0);
}

// SchedulerAPI() has not been called in this file.
void require_refusal(const char* sizes) {
    REQUIRE(SchedulerAPI() == nullptr);
    const std::string error = take_error_and_text();
    require(error.rfind("ImportError: the module scheduler is older than the Scheduler.h", 0) == 0,
            error.c_str());
    require(error.find(sizes) != std::string::npos, error.c_str());
    // What to do.
    REQUIRE(error.find("install a version of the package that is not older") != std::string::npos);
    REQUIRE(error.find("scheduler.get_include()") != std::string::npos);
}

[[noreturn]] void check_an_older_module() {
    PyObject* const capsule = find_capsule();
    REQUIRE(PyCapsule_GetContext(capsule) == reinterpret_cast<void*>(sizeof(SchedulerCAPI)));
    const std::string ours = "not " + std::to_string(sizeof(SchedulerCAPI));
    set_size(capsule, sizeof(SchedulerCAPI) - sizeof(void*));
    require_refusal(ours.c_str());
    // It looks again: a program may put another module in the place.
    set_size(capsule, sizeof(SchedulerCAPI));
    REQUIRE(SchedulerAPI() == &table());
    std::_Exit(0);
}

TEST_F(TableSizeDeathTest, AModuleThatIsOlderThanTheHeaderIsRefused) {
    SPEC("K-01", "K-02", "K-30");
    EXPECT_EXIT(check_an_older_module(), ::testing::ExitedWithCode(0), "");
}

[[noreturn]] void check_the_first_version() {
    set_size(find_capsule(), 0);
    require_refusal(std::to_string(40 * sizeof(void*)).c_str());
    std::_Exit(0);
}

TEST_F(TableSizeDeathTest, AModuleThatDoesNotTellHasTheFirstFortyMembers) {
    SPEC("K-05", "K-30");
    EXPECT_EXIT(check_the_first_version(), ::testing::ExitedWithCode(0), "");
}

[[noreturn]] void check_a_newer_module() {
    set_size(find_capsule(), sizeof(SchedulerCAPI) + sizeof(void*));
    REQUIRE(SchedulerAPI() == &table());
    std::_Exit(0);
}

TEST_F(TableSizeDeathTest, AModuleThatIsNewerThanTheHeaderIsFine) {
    SPEC("K-05", "K-30");
    EXPECT_EXIT(check_a_newer_module(), ::testing::ExitedWithCode(0), "");
}

[[noreturn]] void check_an_older_program() { std::_Exit(older_program_runs()); }

TEST_F(TableSizeDeathTest, AProgramOfAnOlderHeaderRuns) {
    SPEC("K-05", "K-30");
    EXPECT_EXIT(check_an_older_program(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace capi_test
