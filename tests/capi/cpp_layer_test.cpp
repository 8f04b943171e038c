// SchedulerCpp.hpp: tasklets, channels and runs of a host in C++.
#include <SchedulerCpp.hpp>

#include <atomic>
#include <chrono>
#include <string>

#include "cpp_fixture.h"

namespace capi_test {
namespace {

using namespace std::chrono_literals;
using scheduler::Channel;
using scheduler::Object;
using scheduler::PythonError;
using scheduler::Raise;
using scheduler::spawn;
using scheduler::Tasklet;

class CppLayerTest : public CppTest {
  protected:
    void name_object(const char* given, const Object& object) {
        name(given, Ref::steal(Object(object).release()));
    }
};

// ---- tasklets ----------------------------------------------------------------------------------

TEST_F(CppLayerTest, TheExampleOfTheHeaderWorks) {
    SPEC("K-32");
    Channel<int> numbers;
    Tasklet adder = spawn([&] { return numbers.receive() + numbers.receive(); });
    numbers.send(3);
    numbers.send(4);
    EXPECT_EQ(adder.result<int>(), 7);
    EXPECT_FALSE(adder.alive());
}

TEST_F(CppLayerTest, PythonAndCppFunctionsAreSpawned) {
    SPEC("K-32");
    const Tasklet in_python = spawn(python("lambda *given: repr(given)"), 1, 2.5, "three", nullptr);
    const Tasklet in_cpp = spawn(
        [](int number, const std::string& text, double half, bool yes) {
            return text + std::to_string(number) + (half == 0.5 && yes ? "!" : "?");
        },
        4, "four", 0.5, true);
    EXPECT_EQ(scheduler::run_count(), 3);
    scheduler::run();
    EXPECT_EQ(in_python.result<std::string>(), "(1, 2.5, 'three', None)");
    EXPECT_EQ(in_cpp.result<std::string>(), "four4!");
    const Tasklet named = spawn(scheduler::function("patrol", [] {}));
    EXPECT_EQ(named.attr("name").as<std::string>(), "patrol");
    EXPECT_EQ(named.result().get(), Py_None);
}

TEST_F(CppLayerTest, ATaskletIsBoundInsertedRemovedAndResumed) {
    SPEC("K-32");
    int turns = 0;
    const Object work = scheduler::function("work", [&turns](int count) {
        for (; turns < count; ++turns) scheduler::schedule();
    });
    Tasklet tasklet = Tasklet::bound(work, 3);
    EXPECT_TRUE(tasklet.alive());
    EXPECT_EQ(scheduler::run_count(), 1);
    tasklet.resume();
    tasklet.insert();
    tasklet.remove();
    tasklet.resume();
    EXPECT_EQ(turns, 1);
    EXPECT_EQ(tasklet.times_switched_to(), 2);
    EXPECT_FALSE(tasklet.is_main());
    EXPECT_TRUE(scheduler::current().is_main());
    tasklet.set_block_trap(true);
    EXPECT_TRUE(tasklet.block_trap());
    EXPECT_TRUE(tasklet.join());
    EXPECT_EQ(turns, 3);
    EXPECT_EQ(thrown([&] { tasklet.resume(); }).rfind("RuntimeError", 0), 0U);
    tasklet.bind(work, 4);
    tasklet.insert();
    scheduler::run();
    EXPECT_EQ(turns, 4);
}

struct Unwound {
    bool& noted;
    ~Unwound() { noted = true; }
};

TEST_F(CppLayerTest, AKilledTaskletUnwindsItsCpp) {
    SPEC("K-32", "K-23");
    bool unwound = false, is_exit = false;
    Channel<> nobody;
    Tasklet tasklet = spawn([&] {
        const Unwound noted{unwound};
        try {
            nobody.receive();
        } catch (const PythonError& error) {
            is_exit = error.matches(*scheduler::api().TaskletExit);
            throw;
        }
    });
    scheduler::run();
    EXPECT_EQ(nobody.balance(), -1);
    tasklet.kill();
    EXPECT_TRUE(unwound && is_exit);
    EXPECT_FALSE(tasklet.alive());
    tasklet.kill();  // dead: left alone
    Tasklet fresh = spawn([] { FAIL() << "it was killed before it ran"; });
    fresh.kill(Raise::kLater);
    scheduler::run();
    EXPECT_FALSE(fresh.alive());
}

TEST_F(CppLayerTest, AnExceptionIsRaisedNowAloneOrLater) {
    SPEC("K-32");
    std::string log;
    const auto wait = [&log](const std::string& text) {
        try {
            scheduler::schedule();
        } catch (const PythonError& error) {
            log += text + error.what() + ";";
        }
    };
    for (const Raise when : {Raise::kNow, Raise::kAlone, Raise::kLater}) {
        log.clear();
        Tasklet tasklet = spawn(wait, "");
        scheduler::run_turns(1);
        Tasklet behind = spawn([&log] { log += "behind;"; });
        tasklet.raise(PythonError(PyExc_ValueError, "no"), when);
        const bool ran_behind = log.find("behind") != std::string::npos;
        EXPECT_EQ(ran_behind, when == Raise::kNow) << log;
        EXPECT_EQ(tasklet.alive(), when == Raise::kLater);
        scheduler::run();
        EXPECT_NE(log.find("ValueError: no;"), std::string::npos);
    }
}

TEST_F(CppLayerTest, WhatATaskletThrowsComesOutOfItsResult) {
    SPEC("K-32");
    Tasklet python_error = spawn([] { throw PythonError(PyExc_KeyError, "key"); });
    EXPECT_EQ(thrown([&] { python_error.result(); }), "KeyError: 'key'");
    Tasklet std_error = spawn([] { throw std::runtime_error("of C++"); });
    EXPECT_EQ(thrown([&] { std_error.result(); }), "RuntimeError: of C++");
    Tasklet no_memory = spawn([] { throw std::bad_alloc(); });
    EXPECT_EQ(thrown([&] { no_memory.result(); }), "MemoryError");
    Tasklet number = spawn([] { throw 7; });
    EXPECT_EQ(thrown([&] { number.result(); }),
              "RuntimeError: a C++ exception that is no std::exception");
    Tasklet too_many = spawn([](int) {}, 1, 2);
    EXPECT_EQ(thrown([&] { too_many.result(); }),
              "TypeError: the C++ function takes 1 arguments, not 2");
    Tasklet wrong = spawn([](int) {}, "text");
    EXPECT_EQ(thrown([&] { wrong.result(); }).rfind("TypeError", 0), 0U);
    Tasklet runs = spawn([] { throw PythonError(PyExc_KeyError, "key"); });
    EXPECT_EQ(thrown([] { scheduler::run(); }), "KeyError: 'key'");
}

TEST_F(CppLayerTest, WaitsForATaskletAreLimited) {
    SPEC("K-32", "K-29");
    Tasklet tasklet = spawn([] { scheduler::sleep(1h); });
    EXPECT_FALSE(tasklet.join(1ms));
    EXPECT_EQ(thrown([&] { tasklet.result(0s); }).rfind("TimeoutError", 0), 0U);
    EXPECT_EQ(thrown([&] { tasklet.join(-1s); }).rfind("ValueError", 0), 0U);
    tasklet.kill();
}

TEST_F(CppLayerTest, AHandleRefersToATaskletOrAChannel) {
    SPEC("K-32", "K-07");
    EXPECT_EQ(thrown([&] { Tasklet(python("3")); }), "TypeError: expected a tasklet, not int");
    EXPECT_EQ(thrown([] { Tasklet{Object()}; }), "TypeError: expected a tasklet, not nothing");
    EXPECT_EQ(thrown([&] { Channel<int>(python("None")); }),
              "TypeError: expected a channel, not NoneType");
    const Channel<std::string> channel(python("scheduler.channel()"));
    EXPECT_EQ(channel.balance(), 0);
    Channel<int> moved_from;
    const Channel<int> moved(std::move(moved_from));
    EXPECT_EQ(thrown([&] { moved_from.send(1); }).rfind("TypeError", 0), 0U);  // NOLINT
}

// ---- channels ----------------------------------------------------------------------------------

TEST_F(CppLayerTest, PythonIsAtTheOtherEnd) {
    SPEC("K-32");
    Channel<std::string> words;
    name_object("words", words);
    run("log = []\n"
        "def listen():\n"
        "    for word in words: log.append(word)\n"
        "    words.open()\n"
        "    words.send('bye'); words.send(3)");
    Tasklet listener = spawn(python("listen"));
    words.send("one");
    words.send(std::string("two\0three", 9));
    words.close();
    scheduler::run();
    EXPECT_EQ(words.receive(), "bye");
    EXPECT_EQ(thrown([&] { words.receive(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(text("log"), "['one', 'two\\x00three']");
    scheduler::run();
    EXPECT_FALSE(listener.alive());
}

TEST_F(CppLayerTest, WaitsOnAChannelAreLimited) {
    SPEC("K-32", "K-29");
    Channel<int> channel;
    EXPECT_EQ(thrown([&] { channel.send(1, 0s); }).rfind("TimeoutError", 0), 0U);
    EXPECT_EQ(thrown([&] { channel.receive(1ms); }).rfind("TimeoutError", 0), 0U);
    EXPECT_EQ(thrown([&] { channel.receive(); }).rfind("RuntimeError: Deadlock", 0), 0U);
    EXPECT_EQ(thrown([&] { channel.receive(-1s); }).rfind("ValueError", 0), 0U);
}

TEST_F(CppLayerTest, ALoopOverAChannelEndsWhenItIsClosed) {
    SPEC("K-32");
    for (const bool queues : {false, true}) {
        Channel<int> numbers = queues ? Channel<int>::queue() : Channel<int>();
        EXPECT_EQ(scheduler::api().PyQueueChannel_Check(numbers.get()), queues ? 1 : 0);
        Tasklet summing = spawn([numbers] {
            int sum = 0;
            while (auto number = numbers.next()) sum += *number;
            return sum;
        });
        numbers.send(1);
        numbers.send(2);
        numbers.close();
        EXPECT_EQ(summing.result<int>(), 3);
        EXPECT_EQ(thrown([&] { numbers.receive(); }).rfind("ChannelClosed", 0), 0U);
    }
}

TEST_F(CppLayerTest, AnExceptionIsSent) {
    SPEC("K-32");
    Channel<int> numbers;
    Tasklet receiver = spawn([&] { return numbers.receive(); });
    scheduler::run();
    numbers.set_preference(1);
    EXPECT_EQ(numbers.preference(), 1);
    numbers.send_exception(PythonError(PyExc_OSError, "cut off"));
    EXPECT_EQ(thrown([&] { receiver.result(); }), "OSError: cut off");
    Tasklet cleared = spawn([&] { numbers.receive(); });
    scheduler::run();
    numbers.clear();
    EXPECT_FALSE(cleared.alive());
}

TEST_F(CppLayerTest, TheFirstOfSeveralThings) {
    SPEC("K-32", "K-29");
    Channel<int> orders, answers;
    Tasklet closing = spawn([] {});
    Tasklet sender = spawn([&] { orders.send(7); });
    scheduler::run();
    auto done = scheduler::select({orders.receiving(), answers.receiving()});
    EXPECT_EQ(done.index, 0U);
    EXPECT_EQ(done.value.as<int>(), 7);
    Tasklet receiver = spawn([&] { return answers.receive(); });
    scheduler::run();
    done = scheduler::select({orders.receiving(), answers.sending(8)}, 0s);
    EXPECT_EQ(done.index, 1U);
    EXPECT_EQ(receiver.result<int>(), 8);
    EXPECT_EQ(scheduler::select({orders.receiving(), closing.ending()}, 0s, true).index, 1U);
    EXPECT_EQ(thrown([&] { scheduler::select({orders.receiving()}, 0s); }).rfind("TimeoutError", 0),
              0U);
    EXPECT_EQ(thrown([] { scheduler::select({}); }).rfind("ValueError", 0), 0U);
}

// ---- runs --------------------------------------------------------------------------------------

TEST_F(CppLayerTest, RunsAreLimitedOrWait) {
    SPEC("K-32");
    bool go_on = true;
    Tasklet spinning = spawn([&go_on] {
        while (go_on) scheduler::schedule();
    });
    scheduler::run_turns(2);
    scheduler::run(0s);
    EXPECT_EQ(spinning.times_switched_to(), 3);
    scheduler::run(1ms);
    EXPECT_TRUE(scheduler::pump(1));
    go_on = false;
    scheduler::run();
    EXPECT_FALSE(spinning.alive());
    EXPECT_FALSE(scheduler::pump());
    Tasklet sleeping = spawn([] { scheduler::sleep(1ms); });
    scheduler::run_all();
    EXPECT_FALSE(sleeping.alive());
    EXPECT_EQ(thrown([] { scheduler::run(-1s); }).rfind("ValueError", 0), 0U);
    EXPECT_EQ(thrown([] { scheduler::run_turns(0); }).rfind("RuntimeError", 0), 0U);
}

TEST_F(CppLayerTest, ALoopThatHostsIsWoken) {
    SPEC("K-32", "DEC-20");
    std::atomic<int> woken{0};
    const auto wake = [](void* counter) { ++*static_cast<std::atomic<int>*>(counter); };
    EXPECT_EQ(scheduler::next_deadline(), scheduler::kNoLimit);
    {
        const scheduler::Waker waker(wake, &woken);
        spawn([] {});
        EXPECT_EQ(woken, 1);
        EXPECT_FALSE(scheduler::pump());
    }
    Tasklet sleeping = spawn([] { scheduler::sleep(1h); });
    scheduler::run();
    EXPECT_EQ(woken, 1);
    EXPECT_GT(scheduler::next_deadline(), 50min);
    sleeping.kill();
}

TEST_F(CppLayerTest, EachThreadHasTaskletsOfItsOwn) {
    SPEC("K-32", "K-06");
    Channel<int> numbers;
    Tasklet receiver = spawn([&] { return numbers.receive(); });
    scheduler::run();
    std::string refused;
    std::thread other([&] {
        const scheduler::Gil gil;
        Tasklet sender = spawn([&] { numbers.send(5); });
        scheduler::run();
        EXPECT_FALSE(sender.alive());
        refused = thrown([&] { receiver.resume(); });
    });
    {
        const scheduler::Detached detached;
        other.join();
    }
    EXPECT_EQ(refused.rfind("RuntimeError", 0), 0U);
    EXPECT_EQ(receiver.result<int>(), 5);
}

}  // namespace
}  // namespace capi_test
