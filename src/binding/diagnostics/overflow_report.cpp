#include "binding/diagnostics/overflow_report.h"

#include "binding/threads/current_manager.h"

#include <sys/mman.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "binding/scheduling/manager_body.h"
#include "core/guard_index.h"

namespace scheduler::binding {

namespace {

// ---- the alternate stack of a thread -----------------------------------------------------------

// Of the OS thread, and freed when that ends.
class AlternateStack {
  public:
    AlternateStack() = default;
    AlternateStack(const AlternateStack&) = delete;
    AlternateStack& operator=(const AlternateStack&) = delete;

    // If somebody else has set one that serves as well.
    void provide() {
        stack_t now{};
        if (memory_ != nullptr || ::sigaltstack(nullptr, &now) != 0 ||
            (now.ss_flags & SS_DISABLE) == 0) {
            return;
        }
        void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return;
        stack_t ours{};
        ours.ss_sp = memory;
        ours.ss_size = kBytes;
        if (::sigaltstack(&ours, nullptr) == 0) {
            memory_ = memory;
        } else {
            ::munmap(memory, kBytes);
        }
    }

    // Somebody who has put his own in front may go back to this one later: then it stays.
    ~AlternateStack() {
        stack_t now{};
        if (memory_ == nullptr || ::sigaltstack(nullptr, &now) != 0 || now.ss_sp != memory_) return;
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        none.ss_size = kBytes;
        if (::sigaltstack(&none, nullptr) == 0) ::munmap(memory_, kBytes);
    }

  private:
    // Room for handlers that were there before, which may have counted on a thread's own stack.
    static constexpr std::size_t kBytes = std::size_t{64} << 10;

    void* memory_ = nullptr;
};

thread_local AlternateStack alternate_stack;

// ---- the message: in the signal handler, so nothing here may allocate, lock or raise -----------

class Message {
  public:
    void add(const char* text) {
        for (; *text != '\0'; ++text) add(*text);
    }
    void add(char character) {
        if (length_ < sizeof(text_)) text_[length_++] = character;
    }
    void add_number(std::uintptr_t number, unsigned base) {
        char digits[24];
        std::size_t count = 0;
        do {
            digits[count++] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        while (count != 0) add(digits[--count]);
    }
    // Other characters than those of ASCII that can be printed show as question marks.
    void add_string(PyObject* string) {
        constexpr Py_ssize_t kLongest = 200;
        const Py_ssize_t length = std::min(PyUnicode_GET_LENGTH(string), kLongest);
        for (Py_ssize_t i = 0; i < length; ++i) {
            const Py_UCS4 character = PyUnicode_READ_CHAR(string, i);
            add(character >= ' ' && character <= '~' ? static_cast<char>(character) : '?');
        }
    }
    void write() const {
        std::size_t done = 0;
        while (done < length_) {
            const ssize_t count = ::write(STDERR_FILENO, text_ + done, length_ - done);
            if (count < 0 && errno != EINTR) return;
            if (count > 0) done += static_cast<std::size_t>(count);
        }
    }

  private:
    char text_[640];
    std::size_t length_ = 0;
};

// The tasklet whose stack that is. In the middle of a switch, and when the thread has managers of
// several interpreters, the one that the thread thinks current may be another one: nullptr then.
const TaskletBody* tasklet_on(const core::GuardHit& hit) {
    if (last_manager == nullptr) return nullptr;
    const TaskletBody& current = last_manager->current_body();
    const bool is_hit = current.stack != nullptr &&
                        reinterpret_cast<std::uintptr_t>(current.stack->bottom) == hit.bottom;
    return is_hit ? &current : nullptr;
}

void report(const core::GuardHit& hit) {
    Message message;
    message.add("Fatal error: stack overflow in ");
    const TaskletBody* const tasklet = tasklet_on(hit);
    PyObject* const name = tasklet != nullptr ? tasklet->name.borrow() : nullptr;
    if (name != nullptr) {
        message.add("tasklet ");
        message.add_string(name);
    } else if (tasklet != nullptr) {
        message.add("the tasklet at 0x");
        message.add_number(reinterpret_cast<std::uintptr_t>(tasklet->object), 16);
    } else {
        message.add("a tasklet");
    }
    message.add(" (thread ");
    message.add_number(PyThread_get_thread_ident(), 10);
    message.add("): its stack of ");
    message.add_number(hit.bytes, 10);
    message.add(
        " bytes is full. Give tasklets larger stacks with scheduler.set_stack_size(), or recurse "
        "less deeply in C code.\n");
    message.write();
}

// ---- the handler -------------------------------------------------------------------------------

struct sigaction previous;  // constant once ours is in place

void end_by_default(int signal) {
    struct sigaction by_default{};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(signal, &by_default, nullptr);
}

// What would have happened without this handler.
void hand_on(int signal, siginfo_t* info, void* context) {
    const bool is_fault = info->si_code > 0;  // else somebody has sent it
    const bool has_siginfo = (previous.sa_flags & SA_SIGINFO) != 0;
    const bool is_ignored = !has_siginfo && previous.sa_handler == SIG_IGN;
    if (is_ignored && !is_fault) return;
    if (is_ignored || (!has_siginfo && previous.sa_handler == SIG_DFL)) {
        end_by_default(signal);
        if (!is_fault) ::raise(signal);  // a fault comes again when the handler has returned
        return;
    }
    if ((previous.sa_flags & SA_NODEFER) != 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signal);
        ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
    if (has_siginfo) {
        previous.sa_sigaction(signal, info, context);
    } else {
        previous.sa_handler(signal);
    }
}

void on_fault(int signal, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    core::GuardHit hit;
    if (info->si_code > 0) hit = core::find_guard(reinterpret_cast<std::uintptr_t>(info->si_addr));
    if (hit) report(hit);
    errno = saved_errno;
    hand_on(signal, info, context);
    if (hit) end_by_default(signal);  // for one that returns: the stack stays full
}

// SIGSEGV alone: what Linux sends for guards of either kind.
bool install_handler() {
    if (::sigaction(SIGSEGV, nullptr, &previous) != 0) return false;
    struct sigaction ours{};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    return ::sigaction(SIGSEGV, &ours, nullptr) == 0;
}

}  // namespace

void watch_for_overflow() {
    // Not std::call_once(), of which a symbol would show.
    [[maybe_unused]] static const bool is_installed = install_handler();
    alternate_stack.provide();
}

}  // namespace scheduler::binding
