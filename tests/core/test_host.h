// A host for the core without Python: what src/binding/scheduling/switcher.cpp is to the module,
// this is to the tests. Tasklets run C++ functions on real stacks; a TestThread carries the manager
// of one thread.
//
// The reference of a tasklet's maker belongs to its TestThread and is the last one to go: when a
// TestThread ends, it ends its tasklets as a thread does and expects every other reference back.
#pragma once

#include <cxxabi.h>
#include <gtest/gtest.h>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/channel.h"
#include "core/manager.h"

namespace scheduler::core {

inline std::ostream& operator<<(std::ostream& out, TaskletState state) {
    static constexpr const char* kNames[] = {"dead",    "new",     "ready",
                                             "running", "blocked", "in transit"};
    return out << kNames[static_cast<int>(state)];
}

}  // namespace scheduler::core

namespace scheduler::core::testing {

// Raised inside a tasklet that has to end; ends it silently.
struct Killed {};

// The core or the host refuses an operation.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct TestTasklet : Tasklet {
    std::string name;
    std::function<void()> body;
    std::exception_ptr pending;  // raised when it has its next turn
    Channel* waits_on = nullptr;  // owner thread; Tasklet::channel is the channel's own
    std::atomic<int> references{1};
};

// Past all ways between states.
inline void put_into_state(Tasklet& tasklet, TaskletState state) {
    std::construct_at(&tasklet.state, state);
}

inline TestTasklet& body_of(Tasklet& tasklet) { return static_cast<TestTasklet&>(tasklet); }

// A payload is a heap object, so that the leak checker finds what is lost and what is freed twice.
inline Parcel make_parcel(int value) { return {Parcel::Kind::kValue, new int(value)}; }
inline int open_parcel(Parcel& parcel) {
    SCHED_CHECK(!parcel.empty(), "a transfer brought nothing");
    const std::unique_ptr<int> payload(static_cast<int*>(parcel.take_payload()));
    return *payload;
}
inline void drop_parcel(Parcel& parcel) { delete static_cast<int*>(parcel.take_payload()); }

class TestThread {
  public:
    TestThread() : manager_(new ScheduleManager(kHost, main_, kMinStackBytes)) {
        main_.name = "main";
        outer_ = std::exchange(here(), this);
    }
    // Ends every tasklet by raising Killed in it, as the end of a thread does.
    ~TestThread() {
        EXPECT_TRUE(manager().current_is_main());
        end_tasklets();
        manager().finish();
        end_tasklets();
        for (const auto& tasklet : tasklets_) {
            EXPECT_EQ(tasklet->references, 1) << "references to " << tasklet->name;
        }
        manager().free_stacks();
        manager().drop_reference();
        here() = outer_;
    }
    TestThread(const TestThread&) = delete;
    TestThread& operator=(const TestThread&) = delete;

    // The one that the calling thread made last.
    static TestThread& current_thread() { return *here(); }

    ScheduleManager& manager() { return *manager_; }
    TestTasklet& main() { return main_; }
    TestTasklet& current() { return body_of(manager().current()); }

    // Flat mode instead of nested.
    bool flat = false;
    // What a schedule callback would be told, as "from>to"; recorded while `watches` is set.
    bool watches = false;
    std::vector<std::string> switches;
    // How often a stack was left for another one.
    int jumps = 0;
    // Turns are passed on at once where that can be, as the binding does; else step by step.
    bool passes_turns = true;
    int passed = 0;

    // A new tasklet that is in no queue yet.
    TestTasklet& make_paused(std::string name, std::function<void()> body) {
        tasklets_.push_back(std::make_unique<TestTasklet>());
        TestTasklet& tasklet = *tasklets_.back();
        tasklet.manager = &manager();
        tasklet.name = std::move(name);
        tasklet.body = std::move(body);
        tasklet.state.become_new();
        tasklet.paused = true;
        manager().join_live_list(tasklet);
        return tasklet;
    }
    // The same, at the end of the queue.
    TestTasklet& make(std::string name, std::function<void()> body = [] {}) {
        TestTasklet& tasklet = make_paused(std::move(name), std::move(body));
        insert(tasklet);
        return tasklet;
    }
    // The maker's reference, the last one, is dropped.
    void destroy(TestTasklet& tasklet) {
        EXPECT_EQ(tasklet.references, 1);
        manager().detach_from_loops(tasklet);
        if (tasklet.alive()) end_activation(tasklet);
        std::erase_if(tasklets_, [&](const auto& owned) { return owned.get() == &tasklet; });
    }

    void insert(TestTasklet& tasklet) {
        if (manager().insert(tasklet)) retain(tasklet);
    }
    void remove(TestTasklet& tasklet) {
        if (!manager().take_out(tasklet)) return;
        tasklet.paused = true;
        release(tasklet);
    }
    // Gets it going at once, with an exception if one is pending.
    void switch_now(TestTasklet& tasklet) {
        if (flat && !unwinding_current()) {
            if (manager().insert_behind_current(tasklet)) retain(tasklet);
            suspend(Ending::kRequeueBehindNext);
            return;
        }
        if (!tasklet.queued()) insert(tasklet);
        run_queue(&tasklet);
    }

    // Drives all that is queued behind the current tasklet.
    void run() { run_queue(nullptr); }
    void run_turns(std::uint64_t turns) {
        manager().limit().set_turns(turns);
        run();
        manager().limit().clear();
    }
    void schedule() { suspend(Ending::kRequeue); }
    void schedule_remove() { suspend(Ending::kLeave); }

    void send(Channel& channel, int value) {
        current().parcel = make_parcel(value);
        transfer(channel, Direction::kSend);
    }
    int receive(Channel& channel) {
        transfer(channel, Direction::kReceive);
        return open_parcel(current().parcel);
    }

    void read_mail() {
        while (manager().has_mail()) {
            const Mail message = manager().take_mail();
            if (message.tasklet == nullptr) return;
            TestTasklet& tasklet = body_of(*message.tasklet);
            if ((message.bits & mail::kError) != 0 && tasklet.alive()) {
                tasklet.pending = std::make_exception_ptr(Killed{});
                if (!tasklet.has_turn() && !tasklet.blocked()) insert(tasklet);
            }
            for (int i = 0; i < message.references; ++i) release(tasklet);
        }
    }

    void run_queue(TestTasklet* first) {
        TestTasklet& driver = current();
        RunLoop loop;
        manager().open_loop(loop, first);
        run_loop(loop, driver, choose_next(false));
    }
    void suspend(Ending how) {
        if (manager().current_is_main()) {
            run_queue(nullptr);
            return;
        }
        if (unwinding_current()) throw Killed{};
        if (manager().trap_level() != 0) throw Refused("trapped");
        TestTasklet& self = current();
        TestTasklet& next = pass_or_end_turn(how);
        if (&next != &self) switch_to(self, next);
        run_deferred();
        if (self.pending) std::rethrow_exception(std::exchange(self.pending, nullptr));
    }
    // Gives one turn to this tasklet alone.
    void resume(TestTasklet& tasklet) {
        TestTasklet& driver = current();
        RunLoop loop;
        manager().open_turn(loop, tasklet);
        if (!tasklet.queued()) insert(tasklet);
        if (tasklet.stack == nullptr) give_stack(tasklet);
        manager().begin_turn(tasklet);
        run_loop(loop, driver, tasklet);
    }
    // Raises Killed in a tasklet that is suspended, in no queue and no wait queue, until it is dead.
    void unwind(TestTasklet& victim) {
        victim.pending = std::make_exception_ptr(Killed{});
        TestTasklet& driver = current();
        RunLoop loop;
        manager().open_unwinding(loop, victim);
        manager().begin_turn(victim);
        run_loop(loop, driver, victim);
    }

  private:
    // The C++ runtime's record of exceptions in flight (Itanium ABI) belongs to a stack.
    struct ExceptionRecord {
        void* caught;
        unsigned int uncaught;
    };

    static TestThread*& here() {
        static thread_local TestThread* thread = nullptr;
        return thread;
    }
    static void retain(Tasklet& tasklet) { ++body_of(tasklet).references; }
    static void release(Tasklet& tasklet) {
        SCHED_CHECK(--body_of(tasklet).references >= 1, "one reference too many was dropped");
    }
    static bool try_retain(Tasklet& tasklet) {
        retain(tasklet);
        return true;
    }
    static constexpr Host kHost{retain, try_retain, release,
                                [](ScheduleManager& manager) { delete &manager; }};

    bool unwinding_current() {
        return manager().loop() != nullptr && manager().loop()->unwinding == &current();
    }
    void note_switch(const TestTasklet& from, const TestTasklet& to) {
        if (watches) switches.push_back(from.name + ">" + to.name);
    }
    void switch_to(TestTasklet& from, TestTasklet& to) {
        SCHED_CHECK(held_locks() == 0, "a lock is held across a switch");
        auto* record = reinterpret_cast<ExceptionRecord*>(abi::__cxa_get_globals());
        const ExceptionRecord saved = std::exchange(*record, {});
        ++jumps;
        Context::switch_to(from.context, to.context);
        *record = saved;
    }
    void fail_loop(std::exception_ptr error) {
        manager().loop()->failed = true;
        failure_ = std::move(error);
    }
    // What a body that ends raises: nothing if it returns or is killed.
    static std::exception_ptr without_killed(const std::function<void()>& body) {
        try {
            body();
        } catch (const Killed&) {
            return nullptr;
        } catch (...) {
            return std::current_exception();
        }
        return nullptr;
    }
    void end_activation(TestTasklet& tasklet) {
        tasklet.state.die();
        tasklet.pending = nullptr;
        manager().leave_live_list(tasklet);
    }

    // One that never ran dies where its turn was due. Does the loop go on?
    bool finish_unstarted(TestTasklet& tasklet) {
        const auto error = std::exchange(tasklet.pending, nullptr);
        const auto rest = without_killed([&] { std::rethrow_exception(error); });
        const EndOfTurn end = manager().finish_unstarted(tasklet, rest == nullptr);
        end_activation(tasklet);
        release(tasklet);
        if (rest != nullptr) fail_loop(rest);
        return end.loop_goes_on && rest == nullptr;
    }
    void give_stack(TestTasklet& tasklet) {
        tasklet.stack = manager().stacks().acquire(kMinStackBytes);
        tasklet.context.prepare<run_stack>(*tasklet.stack, &tasklet);
    }
    TestTasklet& choose_next(bool adopting) {
        for (;;) {
            read_mail();
            TestTasklet& driver = body_of(*manager().loop()->driver);
            const Turn turn = manager().next_turn();
            if (turn.kind != Turn::Kind::kGive) {
                const char* reason = turn.kind == Turn::Kind::kTrapped ? "trapped" : "ancestor";
                if (turn.kind != Turn::Kind::kLoopEnds) {
                    fail_loop(std::make_exception_ptr(Refused(reason)));
                }
                return driver;
            }
            TestTasklet& next = body_of(*turn.tasklet);
            if (next.stack == nullptr && next.pending) {
                if (!finish_unstarted(next)) return driver;
                continue;
            }
            note_switch(driver, next);
            if (next.stack == nullptr && !adopting) give_stack(next);
            manager().begin_turn(next);
            return next;
        }
    }
    TestTasklet& end_turn(Ending how) {
        TestTasklet& driver = body_of(*manager().loop()->driver);
        note_switch(current(), driver);
        const EndOfTurn end = manager().end_turn(how);
        if (end.left != nullptr) release(*end.left);
        if (!end.loop_goes_on || manager().loop()->failed) return driver;
        return choose_next(how >= Ending::kReturn);
    }
    TestTasklet& pass_or_end_turn(Ending how) {
        if (passes_turns && !watches && how <= Ending::kBlock && !manager().has_mail()) {
            if (Tasklet* const next = manager().pass_turn(how)) {
                ++passed;
                return body_of(*next);
            }
        }
        return end_turn(how);
    }
    void run_loop(RunLoop& loop, TestTasklet& driver, TestTasklet& first) {
        if (&first != &driver) switch_to(driver, first);
        manager().close_loop(loop);
        run_deferred();
        if (loop.failed) std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    // Recycles the stack of a tasklet that has ended; whoever has control next does it.
    void run_deferred() {
        if (TestTasklet* tasklet = std::exchange(stack_to_release_, nullptr)) {
            tasklet->context.retire();
            manager().stacks().release(std::exchange(tasklet->stack, nullptr));
        }
    }

    static void run_stack(void* first) {
        TestThread& thread = current_thread();
        auto* tasklet = static_cast<TestTasklet*>(first);
        Stack* const stack = tasklet->stack;
        for (;;) {
            thread.run_deferred();
            bool failed = false;
            if (std::exception_ptr error = without_killed(tasklet->body)) {
                thread.fail_loop(std::move(error));
                failed = true;
            }
            tasklet->body = nullptr;
            thread.end_activation(*tasklet);
            tasklet->stack = nullptr;
            TestTasklet& next = thread.end_turn(failed ? Ending::kFail : Ending::kReturn);
            if (next.stack != nullptr || next.is_main) {
                thread.stack_to_release_ = tasklet;
                tasklet->stack = stack;
                Context::finish(tasklet->context, next.context);
            }
            next.stack = stack;
            if (&next != tasklet) Context::adopt(tasklet->context, next.context);
            tasklet = &next;
        }
    }

    void transfer(Channel& channel, Direction direction) {
        TestTasklet& self = current();
        read_mail();
        const bool may_wait = manager().trap_level() == 0 && !unwinding_current() &&
                              !(self.is_main && manager().queue_empty());
        const Rendezvous match = channel.rendezvous(direction, self, may_wait);
        if (match.result == RendezvousResult::kWouldBlock ||
            match.result == RendezvousResult::kClosing) {
            drop_parcel(self.parcel);
            throw Refused(match.result == RendezvousResult::kClosing ? "closing" : "must wait");
        }
        try {
            if (match.result == RendezvousResult::kEnqueued) {
                wait_in_line(channel, self);
                return;
            }
            const bool yields = channel.caller_yields(direction);
            if (match.result == RendezvousResult::kMatched)
                manager().make_runnable(*match.partner, yields);
            if (yields) schedule();
        } catch (...) {
            drop_parcel(self.parcel);
            throw;
        }
    }
    void wait_in_line(Channel& channel, TestTasklet& self) {
        self.waits_on = &channel;
        if (!self.is_main) {
            try {
                suspend(Ending::kBlock);
            } catch (...) {
                self.waits_on = nullptr;
                throw;
            }
            self.waits_on = nullptr;
            return;
        }
        std::exception_ptr error;
        try {
            run_queue(nullptr);
        } catch (...) {
            error = std::current_exception();
        }
        self.waits_on = nullptr;
        if (channel.cancel_wait(self)) {
            self.state.go_on();
            if (error == nullptr) error = std::make_exception_ptr(Refused("deadlock"));
        }
        read_mail();  // cancel_wait() has waited for a partner that was about to post
        if (error != nullptr) std::rethrow_exception(error);
    }

    void end_tasklets() {
        for (;;) {
            read_mail();
            while (Tasklet* queued = manager().first_runnable()) remove(body_of(*queued));
            Tasklet* live = manager().any_live_tasklet();
            if (live == nullptr) return;
            TestTasklet& tasklet = body_of(*live);
            Channel* channel =
                tasklet.waits_on != nullptr ? tasklet.waits_on : tasklet.channel.load();
            if (channel != nullptr && channel->cancel_wait(tasklet)) release(tasklet);
            read_mail();
            remove(tasklet);
            drop_parcel(tasklet.parcel);
            if (tasklet.stack == nullptr) {
                end_activation(tasklet);
            } else {
                try {
                    unwind(tasklet);
                } catch (...) {  // nobody is left who would want to know
                }
            }
            release(tasklet);
        }
    }

    TestTasklet main_;
    std::vector<std::unique_ptr<TestTasklet>> tasklets_;
    std::exception_ptr failure_;
    TestTasklet* stack_to_release_ = nullptr;
    TestThread* outer_ = nullptr;
    ScheduleManager* manager_;
};

// A test on one thread, with the order of events as words separated by blanks.
class ThreadTest : public ::testing::Test {
  protected:
    void note(const std::string& word) { log_ += log_.empty() ? word : " " + word; }
    // What was noted since the last call.
    std::string log() { return std::exchange(log_, {}); }
    // A queued tasklet that notes its name and ends.
    TestTasklet& make_noting(const std::string& name) {
        return thread_.make(name, [this, name] { note(name); });
    }
    std::size_t run_count() {
        EXPECT_EQ(thread_.manager().run_count(), thread_.manager().count_runnables());
        return thread_.manager().run_count();
    }

  private:
    std::string log_;

  protected:
    TestThread thread_;  // ends first: its tasklets may note something as they are unwound
};

}  // namespace scheduler::core::testing
