// Members 45 to 52 and 63: a loop of the program's that hosts its thread, and single turns.
#include "fixture.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <string>

namespace capi_test {
namespace {

void count_up(void* counter) { ++*static_cast<std::atomic<int>*>(counter); }

class HostingTest : public CApiTest {
  protected:
    void SetUp() override {
        CApiTest::SetUp();
        run("log = []\n"
            "def work(name, turns=1):\n"
            "    for turn in range(turns):\n"
            "        log.append(name)\n"
            "        scheduler.schedule()\n");
    }
    void TearDown() override {
        EXPECT_EQ(api->PyScheduler_SetWaker(nullptr, nullptr), 0);
        EXPECT_EQ(api->PyScheduler_ForbidMainWaits(nullptr), 0);
        CApiTest::TearDown();
    }

    std::atomic<int> woken{0};
};

// ---- Pump --------------------------------------------------------------------------------------

TEST_F(HostingTest, ARoundGivesEachThatIsQueuedATurn) {
    SPEC("DEC-20");
    queued_tasklet("work", "('a', 2)");
    queued_tasklet("work", "('b', 2)");
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 1);
    EXPECT_EQ(text("log"), "['a', 'b']");
    while (api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT) == 1) {
    }
    EXPECT_EQ(text("log"), "['a', 'b', 'a', 'b']");
}

TEST_F(HostingTest, APumpIsLimitedByTurnsAndByTime) {
    SPEC("DEC-20");
    queued_tasklet("work", "('a', 5)");
    EXPECT_EQ(api->PyScheduler_Pump(0, SCHEDULER_NO_LIMIT), 1);
    EXPECT_EQ(text("log"), "[]");
    EXPECT_EQ(api->PyScheduler_Pump(2, 60), 1);
    EXPECT_EQ(text("log"), "['a', 'a']");
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, 0), 1);  // one turn at least
    EXPECT_EQ(text("log"), "['a', 'a', 'a']");
    EXPECT_EQ(api->PyScheduler_Pump(100, SCHEDULER_NO_LIMIT), 0);
    EXPECT_EQ(text("len(log)"), "5");
}

TEST_F(HostingTest, APumpRefusesWhatMakesNoSense) {
    SPEC("DEC-20", "K-29");
    queued_tasklet("work", "('a',)");
    for (const long long turns : {-2LL, -1'000'000'000'000LL}) {
        EXPECT_EQ(api->PyScheduler_Pump(turns, 1), -1);
        EXPECT_EQ(take_error(), "ValueError") << turns;
    }
    for (const double seconds : {-1.0, -HUGE_VAL, std::nan("")}) {
        EXPECT_EQ(api->PyScheduler_Pump(1, seconds), -1);
        EXPECT_EQ(take_error(), "ValueError") << seconds;
    }
    EXPECT_EQ(text("log"), "[]");
    run_all();
}

TEST_F(HostingTest, WhatATaskletDoesNotCatchComesOutAndTheWakerIsTold) {
    SPEC("DEC-20");
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    run("def fail(): raise KeyError(1)");
    queued_tasklet("fail");
    queued_tasklet("work", "('a',)");
    EXPECT_EQ(woken, 1);
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), -1);
    EXPECT_EQ(take_error_and_text(), "KeyError: 1");
    EXPECT_EQ(woken, 2);
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 1);
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 0);
    EXPECT_EQ(text("log"), "['a']");
    EXPECT_EQ(woken, 2);
}

// ---- the waker ---------------------------------------------------------------------------------

TEST_F(HostingTest, TheWakerIsCalledOnceUntilTheNextPump) {
    SPEC("DEC-20");
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    EXPECT_EQ(woken, 0);
    queued_tasklet("work", "('a',)");
    queued_tasklet("work", "('b',)");
    EXPECT_EQ(woken, 1);
    while (api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT) == 1) {
    }
    EXPECT_EQ(woken, 1);
    queued_tasklet("work", "('c',)");
    EXPECT_EQ(woken, 2);
    run_all();
}

TEST_F(HostingTest, AnotherThreadCallsTheWaker) {
    SPEC("DEC-20", "H-03");
    const Ref channel = new_channel();
    name("channel", channel);
    run("receiver = scheduler.tasklet(lambda: log.append(channel.receive()))()");
    run_all();
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    EXPECT_EQ(woken, 0);
    on_other_thread([&] { EXPECT_EQ(api->PyChannel_Send(channel.channel(), Py_None), 0); });
    EXPECT_EQ(woken, 1);
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 0);
    EXPECT_EQ(text("log"), "[None]");
}

TEST_F(HostingTest, AWakerThatIsTakenBackIsNotCalled) {
    SPEC("DEC-20");
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    EXPECT_EQ(api->PyScheduler_SetWaker(nullptr, nullptr), 0);
    queued_tasklet("work", "('a',)");
    EXPECT_EQ(woken, 0);
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);  // there is something to do
    EXPECT_EQ(woken, 1);
    run_all();
}

TEST_F(HostingTest, ATimerThatComesEarlierThanWhatWasToldCallsTheWaker) {
    SPEC("DEC-20", "DEC-12");
    EXPECT_EQ(api->PyScheduler_NextDeadline(), SCHEDULER_NO_LIMIT);
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    const Ref late = queued_tasklet("scheduler.sleep", "(3600,)");
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 0);
    const double told = api->PyScheduler_NextDeadline();
    EXPECT_TRUE(3000 < told && told <= 3600) << told;
    woken = 0;
    run("def nap(seconds): channel.receive(timeout=seconds)\n"
        "channel = scheduler.channel()\n"
        "later, earlier = scheduler.tasklet(nap), scheduler.tasklet(nap)\n"
        "later.bind(nap, (4000,)); earlier.bind(nap, (1000,))");
    const Ref later = eval("later");
    const Ref earlier = eval("earlier");
    EXPECT_EQ(api->PyTasklet_Insert(later.tasklet()), 0);
    EXPECT_EQ(woken.exchange(0), 1);
    EXPECT_EQ(api->PyScheduler_Pump(SCHEDULER_ANY_TURNS, SCHEDULER_NO_LIMIT), 0);
    EXPECT_GT(api->PyScheduler_NextDeadline(), 3000);
    // It is in the queue for the length of this call only, which wakes once.
    EXPECT_EQ(api->PyTasklet_Resume(earlier.tasklet()), 0);
    EXPECT_EQ(woken, 1);
    EXPECT_LT(api->PyScheduler_NextDeadline(), 1001);  // a channel's time-out may be two ticks late
    for (const Ref* task : {&late, &later, &earlier}) {
        EXPECT_EQ(api->PyTasklet_KillAlone(task->tasklet()), 0);
    }
    EXPECT_EQ(api->PyScheduler_NextDeadline(), SCHEDULER_NO_LIMIT);
}

TEST_F(HostingTest, ADescriptorIsAWakerToo) {
    SPEC("DEC-20");
    const int fd = eventfd(0, EFD_NONBLOCK);
    EXPECT_EQ(api->PyScheduler_SetWakerFd(fd), 0);
    queued_tasklet("work", "('a',)");
    eventfd_t value = 0;
    EXPECT_EQ(eventfd_read(fd, &value), 0);
    EXPECT_EQ(value, 1u);
    // Each kind is taken back by its own function.
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyScheduler_SetWaker(nullptr, nullptr), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyScheduler_SetWakerFd(-1), 0);
    EXPECT_EQ(api->PyScheduler_SetWaker(count_up, &woken), 0);
    EXPECT_EQ(api->PyScheduler_SetWakerFd(fd), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    close(fd);
    run_all();
}

TEST_F(HostingTest, DescriptorsThatCannotWakeAreRefused) {
    SPEC("DEC-20", "K-29");
    const int blocking = eventfd(0, 0);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
    for (const int fd : {-2, blocking, ends[0]}) {
        EXPECT_EQ(api->PyScheduler_SetWakerFd(fd), -1);
        EXPECT_EQ(take_error(), "ValueError") << fd;
    }
    close(blocking);
    close(ends[0]);
    close(ends[1]);
    EXPECT_EQ(api->PyScheduler_SetWakerFd(blocking), -1);
    EXPECT_EQ(take_error(), "OSError");
}

// ---- waits of the main tasklet -----------------------------------------------------------------

TEST_F(HostingTest, WaitsOfTheMainTaskletAreRefusedByTheHostsText) {
    SPEC("DEC-20");
    const Ref channel = new_channel();
    EXPECT_EQ(api->PyScheduler_ForbidMainWaits("await the loop's \xC3\xA9"), 0);
    EXPECT_EQ(api->PyChannel_Receive(channel.channel()), nullptr);
    EXPECT_EQ(take_error_and_text(), "RuntimeError: await the loop's \xC3\xA9");
    EXPECT_EQ(api->PyScheduler_Sleep(1), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyScheduler_ForbidMainWaits("\xFF"), -1);
    EXPECT_EQ(take_error(), "UnicodeDecodeError");
    EXPECT_EQ(api->PyScheduler_ForbidMainWaits(nullptr), 0);
    EXPECT_EQ(api->PyScheduler_Sleep(0.001), 0);
}

// ---- one turn ----------------------------------------------------------------------------------

TEST_F(HostingTest, OneTaskletHasOneTurn) {
    SPEC("DEC-21");
    const Ref first = queued_tasklet("work", "('a', 2)");
    const Ref second = queued_tasklet("work", "('b', 2)");
    EXPECT_EQ(api->PyTasklet_Resume(second.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_KillAlone(second.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_Alive(second.tasklet()), 0);
    EXPECT_EQ(text("log"), "['b']");
    EXPECT_EQ(api->PyTasklet_Resume(second.tasklet()), -1);
    EXPECT_EQ(take_error(), "RuntimeError");
    EXPECT_EQ(api->PyTasklet_GetTimesSwitchedTo(first.tasklet()), 0);
    run_all();
}

TEST_F(HostingTest, AnExceptionIsThrownAtOneAlone) {
    SPEC("DEC-21");
    const Ref victim = queued_tasklet("work", "('a', 2)");
    const Ref behind = queued_tasklet("work", "('b',)");
    EXPECT_EQ(api->PyTasklet_Resume(victim.tasklet()), 0);
    EXPECT_EQ(api->PyTasklet_ThrowAlone(victim.tasklet(), PyExc_KeyError, eval("7").get(), nullptr),
              -1);
    EXPECT_EQ(take_error_and_text(), "KeyError: 7");
    EXPECT_EQ(api->PyTasklet_ThrowAlone(behind.tasklet(), nullptr, nullptr, nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    EXPECT_EQ(text("log"), "['a']");
    run_all();
}

// ---- TraceMark ---------------------------------------------------------------------------------

TEST_F(HostingTest, AMarkIsPutIntoTheFlightRecorder) {
    SPEC("TRC-10");
    EXPECT_EQ(api->PyScheduler_TraceMark("nobody traces"), 0);
    run("scheduler.flight_recorder()");
    EXPECT_EQ(api->PyScheduler_TraceMark("frame 12"), 1);
    EXPECT_EQ(text("b'frame 12' in scheduler._trace_copy()"), "True");
    EXPECT_EQ(api->PyScheduler_TraceMark(nullptr), -1);
    EXPECT_EQ(take_error(), "TypeError");
    run("scheduler.flight_recorder(None)");
    EXPECT_EQ(api->PyScheduler_TraceMark("nobody traces"), 0);
}

}  // namespace
}  // namespace capi_test
