// What ThreadSanitizer is told of the explorer and of its model threads.
//
// The explorer's own data goes from thread to thread without any order that TSan could know of:
// it is kept out of its sight. So are all orders but those that the explored program makes itself,
// and these: a thread sees what was there before it began, and all is seen that it did before it ended.
#pragma once

#include "core/sanitizer.h"

#ifdef SCHED_TSAN
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace scheduler::core::explore {

#ifdef SCHED_TSAN

// For the length of a scope the calling thread's reads and writes of plain memory do not count.
class Unseen {
  public:
    Unseen() {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~Unseen() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;
};
// All that was done before publish() is seen after observe().
inline constinit char edge = 0;
inline void publish() { __tsan_release(&edge); }
inline void observe() { __tsan_acquire(&edge); }

#else

struct Unseen {
    Unseen() {}  // not trivial, so that a scope may have one that nothing reads
};
inline void publish() {}
inline void observe() {}

#endif

}  // namespace scheduler::core::explore
