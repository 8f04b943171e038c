#include "explorer.h"

#include <array>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "model_thread.h"
#include "search.h"
#include "unseen.h"

namespace scheduler::core::explore {

namespace {

// An execution that is longer is taken for one without an end.
constexpr std::size_t kMaxSteps = 10'000;

const char* describe(Action action) {
    static constexpr const char* kNames[] = {"goes on",
                                             "loads",
                                             "stores",
                                             "exchanges",
                                             "compares and exchanges",
                                             "adds or sets bits",
                                             "is about to wait",
                                             "wakes"};
    return kNames[static_cast<int>(action)];
}

constinit bool race_was_reported = false;

// Failed programs: what is on the abandoned stacks may refer to them.
void keep_forever(std::unique_ptr<Program> program) {
    static auto* const programs = new std::vector<std::unique_ptr<Program>>;
    programs->push_back(std::move(program));
}

// ---- one exploration ---------------------------------------------------------------------------

class Explorer {
  public:
    explicit Explorer(const Options& options) : options_(options) {
        search_.replay(options_.replay);
    }
    Result run(const std::function<std::unique_ptr<Program>()>& make);

    // ---- on the stack of a model thread
    void before_step(Thread& self, const Step& step);
    Wakeup wait(Thread& self, const void* word, bool has_deadline);
    void wake_any(const void* word);
    void wake_all(const void* word);
    [[noreturn]] void fail_in(Thread& self, const char* what);

    // ---- on any stack
    void fail(const std::string& what) {
        if (failure_.empty()) failure_ = what;
    }
    std::string trace() const { return search_.trace(); }

  private:
    struct Line {
        int thread;
        const char* what;
        const void* word;
    };

    void start_threads(const Program& program);
    void run_once(const Program& program);
    bool go_to_next_steps();
    bool are_at_next_steps() const;
    void take_turn(Thread& thread);
    void note_step(const Thread& thread);
    void stop_waiting(Thread& thread);
    void wake(Thread& thread, Wakeup wakeup, const char* how);
    Thread* choose_thread();
    unsigned restrict_options(unsigned enabled);
    int choose_value(int count);
    bool limited() const { return options_.preemptions != kUnlimited; }
    unsigned waiting_on(const void* word) const;
    std::string steps() const;

    const Options options_;
    Search search_;
    std::string failure_;
    long executions_ = 0;
    long redundant_executions_ = 0;

    // This execution.
    std::vector<Thread*> threads_;
    std::vector<Line> log_;
    Thread* last_ = nullptr;  // took the last step
    Thread* chosen_ = nullptr;  // for the next turn, if that is known already
    int preemptions_left_ = 0;
    unsigned asleep_ = 0;  // whose next step has been explored, with the same outcome, before
    bool redundant_ = false;
};

Result Explorer::run(const std::function<std::unique_ptr<Program>()>& make) {
    do {
        std::unique_ptr<Program> program = make();
        publish();
        run_once(*program);
        observe();
        if (failure_.empty()) program->check_end();
        if (race_was_reported) fail("ThreadSanitizer has reported something");
        ++executions_;
        if (redundant_) ++redundant_executions_;
        if (options_.verbose) std::printf("%s", steps().c_str());
        if (!failure_.empty()) {
            keep_forever(std::move(program));
            return {executions_, redundant_executions_, failure_ + "\n" + steps(), trace()};
        }
    } while (options_.replay.empty() && search_.advance());
    return {executions_, redundant_executions_, {}, {}};
}

void Explorer::start_threads(const Program& program) {
    SCHED_CHECK(program.threads().size() <= kMaxThreads, "a program of too many threads");
    threads_.clear();
    for (const auto& body : program.threads()) {
        Thread& thread = start_thread(body, static_cast<int>(threads_.size()));
        thread.spurious_wakeups_left = options_.spurious_wakeups;
        thread.signals_left = options_.signals;
        threads_.push_back(&thread);
    }
}

void Explorer::run_once(const Program& program) {
    const Unseen unseen;
    search_.restart();
    log_.clear();
    last_ = chosen_ = nullptr;
    preemptions_left_ = options_.preemptions;
    asleep_ = 0;
    redundant_ = false;
    start_threads(program);
    while (go_to_next_steps()) {
        Thread* const known = std::exchange(chosen_, nullptr);
        Thread* const thread = known != nullptr ? known : choose_thread();
        if (thread == nullptr) break;
        take_turn(*thread);
    }
    for (Thread* thread : threads_) give_back(*thread);
}

// What a thread does up to its next step concerns nobody else: no choice. False: one has failed, and must
// not have another turn.
bool Explorer::go_to_next_steps() {
    for (Thread* thread : threads_) {
        if (!failure_.empty()) return false;
        if (thread->ready() && thread->next.action == Action::kNothing) switch_to(*thread);
    }
    return failure_.empty();
}

bool Explorer::are_at_next_steps() const {
    for (const Thread* thread : threads_) {
        if (thread->ready() && thread->next.action == Action::kNothing) return false;
    }
    return true;
}

// Where the same thread goes on, which is most often, it need not leave its stack for that.
void Explorer::before_step(Thread& self, const Step& step) {
    self.next = step;
    if (last_ == &self && log_.size() <= kMaxSteps && are_at_next_steps()) {
        chosen_ = choose_thread();
        if (chosen_ == &self) {
            chosen_ = nullptr;
            note_step(self);
            return;
        }
    }
    back_to_driver(self);
}

void Explorer::note_step(const Thread& thread) {
    log_.push_back({thread.index, describe(thread.next.action), thread.next.word});
}

void Explorer::take_turn(Thread& thread) {
    if (log_.size() > kMaxSteps) return fail("the execution does not end");
    last_ = &thread;
    if (thread.waiting()) {
        stop_waiting(thread);
        return;
    }
    note_step(thread);
    switch_to(thread);
}

Thread* Explorer::choose_thread() {
    unsigned enabled = 0;
    bool ended = true;
    for (const Thread* thread : threads_) {
        if (thread->enabled()) enabled |= bit(thread->index);
        if (thread->status != Thread::Status::kIdle) ended = false;
    }
    if (enabled == 0) {
        if (!ended) fail("deadlock: all threads that have not ended wait");
        return nullptr;
    }
    const unsigned options = restrict_options(enabled);
    const bool can_go_on = last_ != nullptr && (options & bit(last_->index)) != 0;
    int chosen = can_go_on ? last_->index : std::countr_zero(options);
    unsigned tried = 0;
    if ((enabled & (enabled - 1)) != 0) {  // more than one
        chosen = search_.choose(options, chosen);
        tried = search_.tried_at_last_choice();
    }
    Thread& thread = *threads_[static_cast<std::size_t>(chosen)];
    if (limited() && last_ != nullptr && last_->ready() && last_ != &thread) --preemptions_left_;
    // Who was explored in the place of this one need not be explored behind its step, unless that has
    // something to do with theirs.
    const unsigned candidates = (asleep_ | tried) & ~bit(chosen);
    asleep_ = 0;
    for (const Thread* other : threads_) {
        if ((candidates & bit(other->index)) != 0 && !are_dependent(other->next, thread.next)) {
            asleep_ |= bit(other->index);
        }
    }
    return &thread;
}

// Which of the threads that could go on are to be explored.
unsigned Explorer::restrict_options(unsigned enabled) {
    if (limited()) {
        const bool may_interrupt = last_ == nullptr || !last_->ready() || preemptions_left_ > 0;
        return may_interrupt ? enabled : bit(last_->index);
    }
    if (!options_.reduce) return enabled;
    const unsigned awake = enabled & ~asleep_;
    if (awake == 0) redundant_ = true;
    // The rest of a redundant execution is run in any one way.
    return redundant_ ? enabled & (~enabled + 1) : awake;
}

int Explorer::choose_value(int count) {
    if (count == 1) return 0;
    return search_.choose(redundant_ ? bit(0) : bit(count) - 1, 0);
}

// Without a wake-up, in one of the ways that are possible.
void Explorer::stop_waiting(Thread& thread) {
    enum Way : std::uint8_t { kTimeout, kSpurious, kSignal };
    std::array<Way, 3> ways{};
    int count = 0;
    const auto add = [&](Way way) { ways.at(static_cast<std::size_t>(count++)) = way; };
    if (thread.has_deadline) add(kTimeout);
    if (thread.spurious_wakeups_left > 0) add(kSpurious);
    if (thread.signals_left > 0) add(kSignal);
    switch (ways.at(static_cast<std::size_t>(choose_value(count)))) {
        case kTimeout:
            wake(thread, Wakeup::kTimeout, "has waited until its deadline");
            break;
        case kSpurious:
            --thread.spurious_wakeups_left;
            wake(thread, Wakeup::kNotified, "wakes up for no reason");
            break;
        case kSignal:
            --thread.signals_left;
            wake(thread, Wakeup::kSignal, "is woken by a signal");
            break;
    }
}

void Explorer::wake(Thread& thread, Wakeup wakeup, const char* how) {
    log_.push_back({thread.index, how, thread.next.word});
    thread.status = Thread::Status::kReady;
    thread.next = {};
    thread.wakeup = wakeup;
}

unsigned Explorer::waiting_on(const void* word) const {
    unsigned waiting = 0;
    for (const Thread* thread : threads_) {
        if (thread->waiting() && thread->next.word == word) waiting |= bit(thread->index);
    }
    return waiting;
}

Wakeup Explorer::wait(Thread& self, const void* word, bool has_deadline) {
    self.status = Thread::Status::kWaiting;
    self.next = {Action::kWait, word};
    self.has_deadline = has_deadline;
    back_to_driver(self);
    return self.wakeup;
}

void Explorer::wake_any(const void* word) {
    unsigned waiting = waiting_on(word);
    if (waiting == 0) return;
    for (int skip = choose_value(std::popcount(waiting)); skip > 0; --skip) waiting &= waiting - 1;
    wake(*threads_[static_cast<std::size_t>(std::countr_zero(waiting))], Wakeup::kNotified,
         "is woken");
}

void Explorer::wake_all(const void* word) {
    for (Thread* thread : threads_) {
        if ((waiting_on(word) & bit(thread->index)) != 0) {
            wake(*thread, Wakeup::kNotified, "is woken");
        }
    }
}

void Explorer::fail_in(Thread& self, const char* what) {
    fail(what);
    back_to_driver(self);
    SCHED_CHECK(false, "a failed execution went on");
    std::abort();
}

// Words are numbered in the order in which they were touched.
std::string Explorer::steps() const {
    std::vector<const void*> words;
    std::string text;
    for (const Line& line : log_) {
        std::size_t word = 0;
        while (word < words.size() && words[word] != line.word) ++word;
        if (word == words.size()) words.push_back(line.word);
        text += "  thread " + std::to_string(line.thread) + " " + line.what + " (word " +
                std::to_string(word) + ")\n";
    }
    return text + "  EXPLORE_REPLAY=" + trace() + "\n";
}

constinit Explorer* active = nullptr;

void print_choices() {
    if (active == nullptr) return;
    std::fprintf(stderr, "explorer: EXPLORE_REPLAY=%s\n", active->trace().c_str());
}

}  // namespace

Result explore(const Options& options, const std::function<std::unique_ptr<Program>()>& make) {
    SCHED_CHECK(active == nullptr, "an exploration inside of another one");
    Options own = options;
    if (const char* const trace = std::getenv("EXPLORE_REPLAY")) {
        own.replay = trace;
        own.verbose = true;
    }
    race_was_reported = false;
    Explorer explorer(own);
    active = &explorer;
    // A failed check ends the process: not without saying where.
    auto* const handler = std::signal(SIGABRT, [](int) { print_choices(); });
#if defined(SCHED_ASAN) || defined(SCHED_TSAN)
    __sanitizer_set_death_callback(print_choices);
#endif
    const Result result = explorer.run(make);
    std::signal(SIGABRT, handler);
    active = nullptr;
    return result;
}

void before(Action action, const void* word) {
    const Unseen unseen;
    if (Thread* const self = running_thread()) active->before_step(*self, {action, word});
}

void expect(bool condition, const char* what) {
    if (condition) return;
    const Unseen unseen;
    if (Thread* const self = running_thread()) active->fail_in(*self, what);
    active->fail(what);
}

}  // namespace scheduler::core::explore

// ---- what core/futex.cpp does elsewhere --------------------------------------------------------

namespace scheduler::core {

Wakeup wait_on_word(const Atomic<std::uint32_t>& word, std::uint32_t expected,
                    std::int64_t deadline) {
    explore::before(explore::Action::kWait, &word);
    if (word.peek() != expected) return Wakeup::kNotified;
    const explore::Unseen unseen;
    explore::Thread* const self = explore::running_thread();
    SCHED_CHECK(self != nullptr, "nobody would ever wake who waits here");
    return explore::active->wait(*self, &word, deadline != kNever);
}

void wake_one(const Atomic<std::uint32_t>& word) {
    explore::before(explore::Action::kWake, &word);
    const explore::Unseen unseen;
    if (explore::running_thread() != nullptr) explore::active->wake_any(&word);
}

void wake_all(const Atomic<std::uint32_t>& word) {
    explore::before(explore::Action::kWake, &word);
    const explore::Unseen unseen;
    if (explore::running_thread() != nullptr) explore::active->wake_all(&word);
}

}  // namespace scheduler::core

#ifdef SCHED_TSAN
extern "C" [[gnu::visibility("default"),
             gnu::no_sanitize("thread")]] void __tsan_on_report(void* /*report*/) {
    scheduler::core::explore::race_was_reported = true;
}
#endif
