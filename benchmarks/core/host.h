// The least that drives the core: what src/binding/scheduling/switcher.cpp is to the module,
// without Python, errors, callbacks and waiting for other threads. A BenchThread carries the
// manager of one thread.
#pragma once

#include <cstddef>
#include <utility>

#include "core/channel.h"
#include "core/manager.h"

namespace scheduler::core::bench {

struct BenchTasklet : Tasklet {
    using Body = void (*)(void* argument);

    Body body = nullptr;
    void* argument = nullptr;
};

class BenchThread {
  public:
    BenchThread() : manager_(new ScheduleManager(kHost, main_, kMinStackBytes)) {}
    // All its tasklets have ended.
    ~BenchThread() {
        SCHED_CHECK(!manager().has_live_tasklets(), "a benchmark has left a tasklet behind");
        manager().finish();
        manager().free_stacks();
        manager().drop_reference();
    }
    BenchThread(const BenchThread&) = delete;
    BenchThread& operator=(const BenchThread&) = delete;

    ScheduleManager& manager() { return *manager_; }

    // Queues a dead tasklet to run body(argument).
    void spawn(BenchTasklet& tasklet, BenchTasklet::Body body, void* argument) {
        tasklet.manager = manager_;
        tasklet.body = body;
        tasklet.argument = argument;
        tasklet.state.become_new();
        manager().join_live_list(tasklet);
        manager().insert(tasklet);
    }

    // Main only: gives turns until the queue is empty.
    void run() {
        RunLoop loop;
        manager().open_loop(loop, nullptr);
        here() = this;
        Tasklet& first = choose_next(false);
        if (&first != &main_) Context::switch_to(main_.context, first.context);
        manager().close_loop(loop);
        run_deferred();
    }

    // Tasklets only.
    void yield() { suspend(Ending::kRequeue); }
    void send(Channel& channel, void* payload) {
        manager().current().parcel = {Parcel::Kind::kValue, payload};
        transfer(channel, Direction::kSend);
    }
    void* receive(Channel& channel) {
        transfer(channel, Direction::kReceive);
        return manager().current().parcel.take_payload();
    }

    // Does what other threads have asked of the queue; returns how many messages there were.
    int read_mail() {
        int messages = 0;
        while (manager().has_mail() && manager().take_mail().tasklet != nullptr) ++messages;
        return messages;
    }

  private:
    // Every tasklet outlives its thread here: nobody counts.
    static constexpr Host kHost{[](Tasklet&) {}, [](Tasklet&) { return true; }, [](Tasklet&) {},
                                [](ScheduleManager& manager) { delete &manager; }};

    static BenchThread*& here() {
        static thread_local BenchThread* thread = nullptr;
        return thread;
    }

    Tasklet& choose_next(bool adopting) {
        read_mail();
        const Turn turn = manager().next_turn();
        if (turn.kind != Turn::Kind::kGive) return *manager().loop()->driver;
        Tasklet& next = *turn.tasklet;
        if (next.stack == nullptr && !adopting) {
            next.stack = manager().stacks().acquire(kMinStackBytes);
            SCHED_CHECK(next.stack != nullptr, "no memory for a stack");
            next.context.prepare<run_stack>(*next.stack, &next);
        }
        manager().begin_turn(next);
        return next;
    }
    Tasklet& end_turn(Ending how) {
        Tasklet& driver = *manager().loop()->driver;
        return manager().end_turn(how).loop_goes_on ? choose_next(how == Ending::kReturn) : driver;
    }
    void suspend(Ending how) {
        Tasklet& self = manager().current();
        Tasklet& next = end_turn(how);
        if (&next != &self) Context::switch_to(self.context, next.context);
        run_deferred();
    }
    void transfer(Channel& channel, Direction direction) {
        const Rendezvous match = channel.rendezvous(direction, manager().current(), true);
        if (match.result == RendezvousResult::kEnqueued) {
            suspend(Ending::kBlock);
            return;
        }
        SCHED_CHECK(match.result == RendezvousResult::kMatched,
                    "a channel of one thread, never closed");
        const bool yields = channel.caller_yields(direction);
        manager().make_runnable(*match.partner, yields);
        if (yields) yield();
    }
    // Recycles the stack of a tasklet that has ended; whoever has control next does it.
    void run_deferred() {
        if (Tasklet* tasklet = std::exchange(stack_to_release_, nullptr)) {
            tasklet->context.retire();
            manager().stacks().release(std::exchange(tasklet->stack, nullptr));
        }
    }

    // One tasklet after another, as long as the next one is new.
    static void run_stack(void* first) {
        BenchThread& thread = *here();
        auto* tasklet = static_cast<BenchTasklet*>(first);
        Stack* const stack = tasklet->stack;
        for (;;) {
            thread.run_deferred();
            tasklet->body(tasklet->argument);
            thread.manager().leave_live_list(*tasklet);
            tasklet->stack = nullptr;
            Tasklet& next = thread.end_turn(Ending::kReturn);
            if (next.stack != nullptr || next.is_main) {
                thread.stack_to_release_ = tasklet;
                tasklet->stack = stack;
                Context::finish(tasklet->context, next.context);
            }
            next.stack = stack;
            if (&next != tasklet) Context::adopt(tasklet->context, next.context);
            tasklet = static_cast<BenchTasklet*>(&next);
        }
    }

    BenchTasklet main_;
    Tasklet* stack_to_release_ = nullptr;
    ScheduleManager* manager_;
};

}  // namespace scheduler::core::bench
