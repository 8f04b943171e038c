// What a trace is made of: events of 32 bytes, as they lie in the buffers of threads and in a raw file.
//
// An event is about one tasklet, which like channels goes by its address: kCreated and kMade tell that
// an address has been used again. Who hands something over, or makes another one ready, need not be said where
// it is the tasklet that has its turn in that thread. scheduler/tracing/_reading.py reads them.
#pragma once

#include <cstdint>

namespace scheduler::core {

// The numbers are those of the raw format.
enum class TraceKind : std::uint8_t {
    kText = 1,  // of the event before it, 24 bytes
    kThread = 2,  // tasklet: its main one; text: its name
    kThreadEnds = 3,
    kKnown =
        4,  // there already as the thread's trace begins; `why` is a TraceState, other: the channel; text
    kCreated = 5,  // given something to do; text: name, a zero, place
    kNamed = 6,  // the same text
    kTurnBegins = 7,  // value: stacks in use
    kTurnEnds = 8,  // `why` is a TraceWhy; other: the channel it waits on
    kReady = 9,  // other: by whom, or 0
    kTransfer = 10,  // with `tasklet`, over the channel `other`; `why` is a TraceTransfer
    kTimer = 11,  // its wait is over by time
    kThrown = 12,  // has an exception to raise; other: by whom, or 0; `why` 1: it is killed
    kRemoved = 13,  // out of the runnables queue, by hand
    kDied = 14,  // outside a turn
    kLoopOpens = 15,  // it runs others from now on
    kLoopCloses = 16,
    kParks = 17,  // the thread sleeps
    kUnparks = 18,
    kStackTaken = 19,  // value: stacks in use
    kMark = 20,  // text
    kMade = 21,  // a channel, `other`
    kName =
        22,  // as kNamed, of one that is alive at the end; value: in which thread, then as kKnown; or 0
};

enum class TraceWhy : std::uint8_t {
    kYielded = 1,
    kBlocked = 2,  // on a channel
    kSleeps = 3,
    kJoins = 4,
    kSelects = 5,
    kRemoved = 6,
    kEnded = 7,
    kFailed = 8,
    kKilled = 9,
};

enum class TraceState : std::uint8_t {
    kIdle = 1,
    kReady = 2,
    kRunning = 3,
    kDriving = 4,
    kBlocked = 5
};

// As bits: the tasklet that has its turn sends (else receives); `tasklet` is of another thread.
enum TraceTransfer : std::uint8_t { kTraceSends = 1, kTraceRemote = 2 };

struct TraceEvent {
    std::uint64_t
        head;  // from the lowest byte: kind, why, length of the text (two bytes), value (four)
    std::uint64_t time;  // in ticks, see trace_clock.h
    std::uint64_t tasklet;
    std::uint64_t other;
};
static_assert(sizeof(TraceEvent) == 32);

// Before the events of a thread, one after the other, as many as have come together.
struct TraceChunk {
    std::uint32_t magic;
    std::uint32_t thread;  // by number
    std::uint32_t count;
    std::uint32_t lost;  // so far, of this thread
    std::uint64_t
        ticks;  // the time as both clocks show it: from two such pairs follows how long a tick is
    std::uint64_t nanoseconds;
};
static_assert(sizeof(TraceChunk) == 32);
inline constexpr std::uint32_t kTraceChunkMagic = 0x4b435254;  // "TRCK"

}  // namespace scheduler::core
