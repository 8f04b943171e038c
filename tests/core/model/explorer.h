// Runs small programs of two or three threads through all of their interleavings.
//
// A model thread is a stack of its own on the one thread of the test. Before each operation on an
// Atomic, and where it waits, it gives control back to the explorer, which chooses whose turn is next.
// A program is run once for each way to choose (search.h); it must therefore do the same whenever
// the same choices are made.
//
// Two steps are dependent when they touch the same word and one of them writes. Interleavings that
// differ only in the order of independent steps have the same outcome: with Options::reduce only one of
// them is explored to its end ("sleep sets": once all that begins with a step of thread A has been
// explored, A sleeps in what begins with B, until somebody takes a step that depends on A's next one).
// This counts on programs without data races; ThreadSanitizer tells of those: model threads are
// strangers to it, that know of each other only by the operations of the program itself.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/atomic.h"

namespace scheduler::core::explore {

inline constexpr int kMaxThreads = 4;
inline constexpr int kUnlimited = std::numeric_limits<int>::max();

// What is explored; a new one is made for each execution.
class Program {
  public:
    Program() = default;
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    virtual ~Program() = default;

    // Called when all threads have ended.
    virtual void check_end() {}

    const std::vector<std::function<void()>>& threads() const { return threads_; }

  protected:
    void add_thread(std::function<void()> body) { threads_.push_back(std::move(body)); }

  private:
    std::vector<std::function<void()>> threads_;
};

struct Options {
    // How often in an execution a thread that could go on is interrupted by another one.
    int preemptions = kUnlimited;
    // How many waits of each thread may end without a reason, and how many by a signal.
    int spurious_wakeups = 0;
    int signals = 0;
    // One of all interleavings that differ in the order of independent steps is enough. Has no effect
    // when preemptions are limited: the one chosen might be beyond the limit, and another one not.
    bool reduce = true;
    // Instead of a search, one execution with these choices. The environment variable EXPLORE_REPLAY
    // asks for the same, and for its steps.
    std::string replay = {};
    bool verbose = false;  // prints the steps of each execution
};

struct Result {
    long executions = 0;
    long redundant = 0;  // of those: found to differ from others in independent steps only
    std::string failure;  // what went wrong, with the steps that led there
    std::string choices;  // of the execution that failed, for Options::replay
};

// Until one execution fails, or all have been explored. A program that fails is never destroyed, nor
// are the stacks of its threads.
Result explore(const Options& options, const std::function<std::unique_ptr<Program>()>& make);

template <typename P, typename... Args>
Result explore(const Options& options, Args... args) {
    return explore(options,
                   [&]() -> std::unique_ptr<Program> { return std::make_unique<P>(args...); });
}

// For programs: what has to be true in each execution. False ends the exploration, at once.
void expect(bool condition, const char* what);

}  // namespace scheduler::core::explore
