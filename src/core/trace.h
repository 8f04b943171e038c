// The recorder: what the schedule managers of several threads do, as events in a buffer of each thread.
//
// It works in one of two ways. To a file: a buffer that is full goes to the end of the file, by the hand of its
// thread, until the file has the size it may have. As a flight recorder: the newest event takes the
// place of the oldest, and somebody may copy what there is at any moment.
//
// Threads: an event is written by the owner thread of the buffer, without a lock. Others read what `head_`
// says is there. In a file's buffer nothing is overwritten that has not been written to the file, so what they
// read stands still. In a flight recorder's the owner may overwrite what they copy: they look at `head_`
// again afterwards, and drop what may have been.
//
// A thread may still write to its buffer, which it shares, after the recorder has been closed. Nobody
// reads that any more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "atomic.h"
#include "lock.h"
#include "trace_clock.h"
#include "trace_event.h"

namespace scheduler::core {

class TraceRecorder;

// The events of one thread. What other threads read lies in a cache line of its own.
class TraceBuffer {  // NOLINT(clang-analyzer-optin.performance.Padding)
  public:
    // Room for `capacity` events, a power of two. Throws std::bad_alloc.
    TraceBuffer(std::shared_ptr<TraceRecorder> recorder, std::uint32_t number,
                std::size_t capacity);
    TraceBuffer(const TraceBuffer&) = delete;
    TraceBuffer& operator=(const TraceBuffer&) = delete;
    ~TraceBuffer();

    // ---- the owner thread
    // What is it now? To be given to write_at(), for events that come at one and the same time.
    std::uint64_t look() { return last_time_ = clock_.ticks(); }
    // Of the last event.
    std::uint64_t last_time() const { return last_time_; }

    void write(TraceKind kind, const void* tasklet, const void* other = nullptr,
               std::uint8_t why = 0, std::uint32_t value = 0) {
        write_at(look(), kind, tasklet, other, why, value);
    }
    SCHED_ALWAYS_INLINE void write_at(std::uint64_t time, TraceKind kind, const void* tasklet,
                                      const void* other = nullptr, std::uint8_t why = 0,
                                      std::uint32_t value = 0) {
        const std::uint64_t head = static_cast<std::uint64_t>(kind) |
                                   static_cast<std::uint64_t>(why) << 8 |
                                   static_cast<std::uint64_t>(value) << 32;
        put({head, time, reinterpret_cast<std::uintptr_t>(tasklet),
             reinterpret_cast<std::uintptr_t>(other)});
    }
    // With text, of which the first kLongestText bytes are kept.
    void write_text(TraceKind kind, const void* tasklet, std::string_view text,
                    std::uint8_t why = 0, const void* other = nullptr);
    // The thread ends, or leaves the trace.
    void end();

    static constexpr std::size_t kLongestText = 240;

    // ---- any thread
    // Appends all events that are there, behind a TraceChunk.
    void copy_to(std::string& raw) const;
    TraceRecorder& recorder() const { return *recorder_; }
    std::uint32_t number() const { return number_; }

  private:
    friend class TraceRecorder;

    struct Slot {
        std::atomic<std::uint64_t> words[4];
    };

    SCHED_ALWAYS_INLINE void put(const TraceEvent& event) {
        const std::uint64_t at = head_.load(std::memory_order_relaxed);
        if (at == limit_ && !make_room()) [[unlikely]]
            return;
        Slot& slot = slots_[at & mask_];
        // Whoever sees what overwrites an event sees as well that it may be overwritten. Not by a fence, which
        // ThreadSanitizer does not know.
        slot.words[0].store(event.head, std::memory_order_release);
        slot.words[1].store(event.time, std::memory_order_release);
        slot.words[2].store(event.tasklet, std::memory_order_release);
        slot.words[3].store(event.other, std::memory_order_release);
        head_.store(at + 1, std::memory_order_release);
    }
    [[gnu::noinline]] bool make_room();
    void write_to_file();
    // The same by whoever has closed the recorder.
    void write_rest();
    TraceEvent event_at(std::uint64_t index) const;
    TraceChunk chunk_of(std::uint64_t count, std::uint64_t lost) const;

    // Owner thread, or constant.
    const std::uint64_t mask_;
    std::uint64_t limit_;  // of `head_`, until something has been written to the file
    const std::unique_ptr<Slot[]> slots_;
    const TraceClock clock_;
    std::uint64_t last_time_ = 0;
    const std::uint32_t number_;
    const std::shared_ptr<TraceRecorder> recorder_;

    // Owner thread while the recorder is open, then whoever has closed it.
    std::uint64_t written_ = 0;  // events that have gone to the file, or were lost
    std::uint64_t lost_ = 0;

    alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
    std::atomic<bool> ended_{false};
};

// The tasklets that are alive, to follow what a flight recorder knows: of most of them it has overwritten the
// first event, of some all.
class TraceNames {
  public:
    // `thread`: the number of its buffer, or 0 if nothing but the name is known.
    void add(const void* tasklet, std::string_view text, TraceState state = TraceState::kIdle,
             const void* channel = nullptr, std::uint32_t thread = 0);
    // As a chunk of thread 0.
    void copy_to(std::string& raw) const;

  private:
    const TraceClock clock_;
    std::vector<TraceEvent> events_;
};

class TraceRecorder : public std::enable_shared_from_this<TraceRecorder> {
  public:
    // To a file that is open for appending, and is closed with the recorder. It gets `max_bytes` at most.
    static std::shared_ptr<TraceRecorder> to_file(int fd, std::size_t max_bytes);
    // A flight recorder, with room for so much in each thread.
    static std::shared_ptr<TraceRecorder> in_memory(std::size_t bytes_per_thread);
    ~TraceRecorder();

    // ---- any thread
    // A buffer for a thread. Throws std::bad_alloc.
    std::shared_ptr<TraceBuffer> add_thread();
    // From now on nothing goes to the file but what this call puts there: all events of all threads.
    void close();
    // What all threads have done last, chunk by chunk.
    std::string copy() const;
    bool is_flight_recorder() const { return is_flight_recorder_; }
    // Why a write to the file has failed, as errno; 0: none has.
    int error() const { return error_; }
    // After a fork the file is the parent's: the child, in which there is no other thread, leaves it.
    void forget_file();

    // Room for that many in a thread's buffer where events go to a file.
    static constexpr std::size_t kFileBuffer = 2048;
    // Threads that have ended of which a flight recorder still knows something.
    static constexpr std::size_t kMostEnded = 8;

  private:
    friend class TraceBuffer;
    TraceRecorder(int fd, std::size_t max_bytes, std::size_t capacity);

    using Buffers = std::vector<std::shared_ptr<TraceBuffer>>;
    Buffers buffers() const SCHED_EXCLUDES(lock_);
    void keep(std::shared_ptr<TraceBuffer> buffer) SCHED_EXCLUDES(lock_);
    void forget_ended(const TraceBuffer& ended) SCHED_EXCLUDES(lock_);
    // False: it has not been written.
    bool append(const TraceChunk& chunk, const TraceBuffer& buffer, std::uint64_t first);

    int fd_;
    const bool is_flight_recorder_;
    const int owner_;  // the process
    const std::size_t max_bytes_;
    const std::size_t capacity_;
    std::atomic<std::size_t> used_{0};
    std::atomic<int> error_{0};
    // A thread that is about to write to the file says so, and then looks whether that is closed; who closes it says
    // so, and then waits for those who write.
    std::atomic<bool> closed_{false};
    std::atomic<int> writing_{0};
    std::atomic<std::uint32_t> last_number_{0};
    mutable Lock lock_;
    Buffers buffers_ SCHED_GUARDED_BY(lock_);
};

}  // namespace scheduler::core
