#include "model_thread.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/lock.h"
#include "core/stack_pool.h"
#include "unseen.h"

namespace scheduler::core::explore {

namespace {

constinit Context driver;  // the stack of the test
constinit Thread* running = nullptr;

// They live as long as the process: a stack that was left in the middle is never entered again.
struct Threads {
    StackPool stacks;
    std::vector<std::unique_ptr<Thread>> all;
    std::vector<Thread*> idle;
};

Threads& model_threads() {
    static auto* const threads = new Threads;
    return *threads;
}

// The count of held locks is the OS thread's, which model threads share.
void exchange_held_locks([[maybe_unused]] Thread& thread) {
#ifndef NDEBUG
    std::swap(held_lock_count, thread.held_locks);
#endif
}

// What runs on the stack of a model thread: one body after another.
void run_bodies(void* argument) {
    Thread& self = *static_cast<Thread*>(argument);
    for (;;) {
        publish();
        {
            const Unseen unseen;
            self.status = Thread::Status::kIdle;
            back_to_driver(self);
        }
        observe();
        (*self.body)();
        SCHED_CHECK(held_locks() == 0, "a model thread ends with a lock");
    }
}

Thread& take_idle_thread() {
    Threads& threads = model_threads();
    if (threads.idle.empty()) {
        threads.all.push_back(std::make_unique<Thread>());
        Thread& thread = *threads.all.back();
        Stack* const stack = threads.stacks.acquire();
        SCHED_CHECK(stack != nullptr, "no memory for the stack of a model thread");
        thread.context.prepare<run_bodies>(*stack, &thread);
        switch_to(thread);
        observe();
        return thread;
    }
    Thread& thread = *threads.idle.back();
    threads.idle.pop_back();
    return thread;
}

}  // namespace

Thread& start_thread(const std::function<void()>& body, int index) {
    Thread& thread = take_idle_thread();
    thread.index = index;
    thread.body = &body;
    thread.status = Thread::Status::kReady;
    thread.next = {};
    return thread;
}

void switch_to(Thread& thread) {
    running = &thread;
    exchange_held_locks(thread);
    Context::switch_to(driver, thread.context);
    exchange_held_locks(thread);
    running = nullptr;
}

void give_back(Thread& thread) {
    if (thread.status == Thread::Status::kIdle) model_threads().idle.push_back(&thread);
}

Thread* running_thread() { return running; }

void back_to_driver(Thread& self) { Context::switch_to(self.context, driver); }

}  // namespace scheduler::core::explore
