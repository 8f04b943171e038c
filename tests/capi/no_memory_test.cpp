// No memory for C++: a call fails with MemoryError, and no C++ exception reaches a program in C.
#include "fixture.h"

#include <cstdlib>
#include <new>

namespace {

bool no_memory = false;

}  // namespace

// For the module as well, which finds those of the program first. Not inlined: GCC would take free() and
// new for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = no_memory ? nullptr : std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace capi_test {
namespace {

class NoMemoryTest : public CApiTest {
  protected:
    Py_ssize_t select_without_memory(const SchedulerCase& one) {
        no_memory = true;
        const Py_ssize_t index = api->PyScheduler_Select(&one, 1, 0, 0, nullptr);
        no_memory = false;
        return index;
    }
};

TEST_F(NoMemoryTest, ASelectFailsAndDoesNothing) {
    SPEC("K-08", "K-29");
    const Ref channel = new_channel();
    name("c", channel);
    queued_tasklet("c.send", "(7,)");
    run_all();
    const SchedulerCase one = {SCHEDULER_CASE_RECEIVE, channel.get(), nullptr};
    EXPECT_EQ(select_without_memory(one), -1);
    EXPECT_EQ(take_error(), "MemoryError");
    detached([&] { EXPECT_EQ(select_without_memory(one), -1); });
    EXPECT_EQ(take_error(), "MemoryError");
    EXPECT_EQ(api->PyChannel_GetBalance(channel.channel()), 1);
    const Ref value = Ref::steal(api->PyChannel_Receive(channel.channel()));
    EXPECT_EQ(value.get(), eval("7").get());
    run_all();
}

}  // namespace
}  // namespace capi_test
