// The recorder: buffers of threads, the file, and the flight recorder.
#include "core/trace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace scheduler::core {
namespace {

// A raw file, or what a flight recorder has.
class Raw {
  public:
    explicit Raw(std::string bytes) : bytes_(std::move(bytes)) {}

    struct Part {
        TraceChunk chunk;
        std::vector<TraceEvent> events;
    };
    std::vector<Part> parts() const {
        std::vector<Part> found;
        for (std::size_t at = 0; at < bytes_.size();) {
            Part part;
            std::memcpy(&part.chunk, bytes_.data() + at, sizeof part.chunk);
            EXPECT_EQ(part.chunk.magic, kTraceChunkMagic);
            at += sizeof part.chunk;
            part.events.resize(part.chunk.count);
            if (!part.events.empty())  // else there may be no address to copy to
                std::memcpy(part.events.data(), bytes_.data() + at,
                            part.events.size() * sizeof(TraceEvent));
            at += part.events.size() * sizeof(TraceEvent);
            found.push_back(std::move(part));
        }
        return found;
    }
    // Of one thread.
    std::vector<TraceEvent> events(std::uint32_t thread = 1) const {
        std::vector<TraceEvent> all;
        for (const Part& part : parts()) {
            if (part.chunk.thread != thread) continue;
            all.insert(all.end(), part.events.begin(), part.events.end());
        }
        return all;
    }
    std::uint32_t lost(std::uint32_t thread = 1) const {
        std::uint32_t lost = 0;
        for (const Part& part : parts()) {
            if (part.chunk.thread == thread) lost = part.chunk.lost;
        }
        return lost;
    }

  private:
    std::string bytes_;
};

class TraceFileTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/trace_test_XXXXXX";
        const int fd = ::mkstemp(name);
        ASSERT_GE(fd, 0);
        path_ = name;
        ::close(fd);
    }
    void TearDown() override { ::unlink(path_.c_str()); }

    std::shared_ptr<TraceRecorder> record(std::size_t max_bytes = 1U << 20U) {
        return TraceRecorder::to_file(::open(path_.c_str(), O_WRONLY | O_APPEND), max_bytes);
    }
    Raw raw() const {
        const int fd = ::open(path_.c_str(), O_RDONLY);
        struct stat facts{};
        EXPECT_EQ(::fstat(fd, &facts), 0);
        std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
        EXPECT_EQ(::read(fd, bytes.data(), bytes.size()), facts.st_size);
        ::close(fd);
        return Raw(bytes);
    }

    std::string path_;
};

void write_some(TraceBuffer& buffer, std::size_t count, std::uint64_t first = 0) {
    for (std::uint64_t i = 0; i < count; ++i) {
        buffer.write_at(i, TraceKind::kTurnBegins, reinterpret_cast<const void*>(first + i));
    }
}

TEST_F(TraceFileTest, AllEventsAreInTheFileInTheirOrder) {
    const auto recorder = record();
    const auto buffer = recorder->add_thread();
    const std::size_t count = 3 * TraceRecorder::kFileBuffer + 7;
    write_some(*buffer, count);
    recorder->close();
    const std::vector<TraceEvent> events = raw().events();
    ASSERT_EQ(events.size(), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(events[i].tasklet, i);
    EXPECT_EQ(raw().lost(), 0U);
    EXPECT_EQ(recorder->error(), 0);
}

TEST_F(TraceFileTest, AFullBufferIsInTheFileBeforeTheEnd) {
    const auto recorder = record();
    const auto buffer = recorder->add_thread();
    write_some(*buffer, TraceRecorder::kFileBuffer + 1);
    EXPECT_EQ(raw().events().size(), TraceRecorder::kFileBuffer);
    recorder->close();
}

TEST_F(TraceFileTest, TheFileGetsNoLargerThanItMay) {
    constexpr std::size_t kMost = std::size_t{3} * 64 * 1024;
    const auto recorder = record(kMost);
    const auto buffer = recorder->add_thread();
    const std::size_t count = 10 * TraceRecorder::kFileBuffer + 3;
    write_some(*buffer, count);
    recorder->close();
    struct stat facts{};
    ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
    EXPECT_LE(static_cast<std::size_t>(facts.st_size), kMost + sizeof(TraceChunk));
    const std::size_t kept = raw().events().size();
    EXPECT_EQ(kept, 2 * TraceRecorder::kFileBuffer);
    EXPECT_EQ(raw().lost(), count - kept);
}

TEST_F(TraceFileTest, NothingIsWrittenAfterTheEnd) {
    const auto recorder = record();
    const auto buffer = recorder->add_thread();
    write_some(*buffer, 5);
    recorder->close();
    write_some(*buffer, 5 * TraceRecorder::kFileBuffer);
    buffer->end();
    EXPECT_EQ(raw().events().size(), 5U);
}

TEST_F(TraceFileTest, TextFollowsItsEventAndIsCut) {
    const auto recorder = record();
    const auto buffer = recorder->add_thread();
    const std::string text(300, 'x');
    buffer->write_text(TraceKind::kMark, nullptr, text);
    buffer->write_text(TraceKind::kMark, nullptr, "");
    recorder->close();
    const std::vector<TraceEvent> events = raw().events();
    ASSERT_EQ(events.size(), 12U);  // 240 bytes in ten
    EXPECT_EQ(events[0].head >> 16U & 0xffffU, TraceBuffer::kLongestText);
    EXPECT_EQ(events[10].head, static_cast<std::uint64_t>(TraceKind::kText));
    EXPECT_EQ(std::memcmp(&events[10].time, text.data(), 24), 0);
    EXPECT_EQ(events[11].head, static_cast<std::uint64_t>(TraceKind::kMark));
}

TEST_F(TraceFileTest, AWriteThatFailsIsTold) {
    const auto recorder = TraceRecorder::to_file(::open("/dev/full", O_WRONLY), 1U << 20U);
    const auto buffer = recorder->add_thread();
    write_some(*buffer, TraceRecorder::kFileBuffer + 1);
    recorder->close();
    EXPECT_EQ(recorder->error(), ENOSPC);
}

TEST_F(TraceFileTest, TheBufferOfAThreadThatHasEndedIsFreed) {
    const auto recorder = record();
    std::weak_ptr<TraceBuffer> gone;
    {
        const auto buffer = recorder->add_thread();
        gone = buffer;
        write_some(*buffer, 3);
        buffer->end();
    }
    EXPECT_TRUE(gone.expired());
    EXPECT_EQ(raw().events().size(), 4U);
    recorder->close();
}

TEST_F(TraceFileTest, ThreadsWriteWhileTheRecorderIsClosed) {
    for (int round = 0; round < 20; ++round) {
        const auto recorder = record(1U << 30U);
        std::atomic<int> started{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&recorder, &started] {
                const auto buffer = recorder->add_thread();
                ++started;
                write_some(*buffer, 5 * TraceRecorder::kFileBuffer);
            });
        }
        while (started < 4) std::this_thread::yield();
        recorder->close();
        for (std::thread& thread : threads) thread.join();
        for (std::uint32_t number = 1; number <= 4; ++number) {
            const std::vector<TraceEvent> events = raw().events(number);
            for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].tasklet, i);
        }
        ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
    }
}

TEST(FlightRecorderTest, TheNewestEventsStay) {
    const auto recorder = TraceRecorder::in_memory(100 * sizeof(TraceEvent));  // 64 of them
    const auto buffer = recorder->add_thread();
    write_some(*buffer, 1000);
    const std::vector<TraceEvent> events = Raw(recorder->copy()).events();
    ASSERT_EQ(events.size(), 63U);  // the oldest one may be about to be overwritten
    EXPECT_EQ(events.front().tasklet, 1000U - 63U);
    EXPECT_EQ(events.back().tasklet, 999U);
    EXPECT_EQ(Raw(recorder->copy()).lost(), 1000U - 63U);
    recorder->close();
}

TEST(FlightRecorderTest, SomeThreadsThatHaveEndedAreKnown) {
    const auto recorder = TraceRecorder::in_memory(1024);
    for (int i = 0; i < 20; ++i) recorder->add_thread()->end();
    const auto parts = Raw(recorder->copy()).parts();
    ASSERT_EQ(parts.size(), TraceRecorder::kMostEnded);
    EXPECT_EQ(parts.back().chunk.thread, 20U);
    recorder->close();
}

TEST(FlightRecorderTest, ACopyWhileAThreadWritesHasWholeEventsInTheirOrder) {
    const auto recorder = TraceRecorder::in_memory(256 * sizeof(TraceEvent));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        const auto buffer = recorder->add_thread();
        for (std::uint64_t i = 1; !stop; ++i) {
            buffer->write_at(i, TraceKind::kReady, reinterpret_cast<const void*>(i),
                             reinterpret_cast<const void*>(i));
        }
    });
    for (int round = 0; round < 500; ++round) {
        std::uint64_t before = 0;
        for (const TraceEvent& event : Raw(recorder->copy()).events()) {
            ASSERT_EQ(event.tasklet, event.time);
            ASSERT_EQ(event.other, event.time);
            if (before != 0) {
                ASSERT_EQ(event.time, before + 1);
            }
            before = event.time;
        }
    }
    stop = true;
    writer.join();
    recorder->close();
}

TEST(TraceNamesTest, NamesAreAChunkOfTheirOwn) {
    TraceNames names;
    names.add(reinterpret_cast<const void*>(1), "one");
    std::string raw;
    names.copy_to(raw);
    const auto parts = Raw(raw).parts();
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0].chunk.thread, 0U);
    EXPECT_EQ(parts[0].events.size(), 2U);
}

}  // namespace
}  // namespace scheduler::core
