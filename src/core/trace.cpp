#include "trace.h"

#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace scheduler::core {

namespace {

// Hands `event`, and those that hold its text, to `put`.
template <typename Put>
void put_text(TraceEvent event, std::string_view text, Put put) {
    text = text.substr(0, TraceBuffer::kLongestText);
    event.head |= static_cast<std::uint64_t>(text.size()) << 16;
    put(event);
    constexpr std::size_t kBytes = sizeof(TraceEvent) - sizeof(event.head);
    while (!text.empty()) {
        const std::size_t part = std::min(kBytes, text.size());
        event = {static_cast<std::uint64_t>(TraceKind::kText), 0, 0, 0};
        std::memcpy(&event.time, text.data(), part);
        put(event);
        text.remove_prefix(part);
    }
}

}  // namespace

void TraceNames::add(const void* tasklet, std::string_view text, TraceState state,
                     const void* channel, std::uint32_t thread) {
    const TraceEvent event{static_cast<std::uint64_t>(TraceKind::kName) |
                               static_cast<std::uint64_t>(state) << 8 |
                               static_cast<std::uint64_t>(thread) << 32,
                           clock_.ticks(), reinterpret_cast<std::uintptr_t>(tasklet),
                           reinterpret_cast<std::uintptr_t>(channel)};
    put_text(event, text, [this](const TraceEvent& one) { events_.push_back(one); });
}

void TraceNames::copy_to(std::string& raw) const {
    const TraceChunk chunk{
        kTraceChunkMagic,       0, static_cast<std::uint32_t>(events_.size()), 0, clock_.ticks(),
        monotonic_nanoseconds()};
    raw.append(reinterpret_cast<const char*>(&chunk), sizeof chunk);
    raw.append(reinterpret_cast<const char*>(events_.data()), events_.size() * sizeof(TraceEvent));
}

// ---- the buffer of a thread ----------------------------------------------------------------------

TraceBuffer::TraceBuffer(std::shared_ptr<TraceRecorder> recorder, std::uint32_t number,
                         std::size_t capacity)
    : mask_(capacity - 1),
      limit_(recorder->is_flight_recorder() ? ~std::uint64_t{0} : capacity),
      slots_(new Slot[capacity]),
      number_(number),
      recorder_(std::move(recorder)) {}

TraceBuffer::~TraceBuffer() = default;

void TraceBuffer::write_text(TraceKind kind, const void* tasklet, std::string_view text,
                             std::uint8_t why, const void* other) {
    const TraceEvent event{static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(why) << 8,
                           look(), reinterpret_cast<std::uintptr_t>(tasklet),
                           reinterpret_cast<std::uintptr_t>(other)};
    put_text(event, text, [this](const TraceEvent& one) { put(one); });
}

bool TraceBuffer::make_room() {
    write_to_file();
    return head_.load(std::memory_order_relaxed) != limit_;
}

void TraceBuffer::write_to_file() {
    TraceRecorder& recorder = *recorder_;
    recorder.writing_.fetch_add(1);
    if (!recorder.closed_.load()) {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::uint64_t count = head - written_;
        if (count != 0 && !recorder.append(chunk_of(count, lost_), *this, written_)) lost_ += count;
        written_ = head;
        limit_ = head + mask_ + 1;
    }
    recorder.writing_.fetch_sub(1);
}

void TraceBuffer::write_rest() {
    const std::uint64_t count = head_.load(std::memory_order_acquire) - written_;
    if (recorder_->append(chunk_of(count, lost_), *this, written_) || count == 0) return;
    recorder_->append(chunk_of(0, lost_ + count), *this, written_);
}

void TraceBuffer::end() {
    write(TraceKind::kThreadEnds, nullptr);
    if (!recorder_->is_flight_recorder()) write_to_file();
    ended_.store(true, std::memory_order_release);
    recorder_->forget_ended(*this);
}

TraceEvent TraceBuffer::event_at(std::uint64_t index) const {
    const Slot& slot = slots_[index & mask_];
    return {slot.words[0].load(std::memory_order_acquire),
            slot.words[1].load(std::memory_order_acquire),
            slot.words[2].load(std::memory_order_acquire),
            slot.words[3].load(std::memory_order_acquire)};
}

TraceChunk TraceBuffer::chunk_of(std::uint64_t count, std::uint64_t lost) const {
    return {kTraceChunkMagic,
            number_,
            static_cast<std::uint32_t>(count),
            static_cast<std::uint32_t>(lost),
            clock_.ticks(),
            monotonic_nanoseconds()};
}

void TraceBuffer::copy_to(std::string& raw) const {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    const std::uint64_t capacity = mask_ + 1;
    std::uint64_t first = head > capacity ? head - capacity : 0;
    std::vector<TraceEvent> events;
    events.reserve(static_cast<std::size_t>(head - first));
    for (std::uint64_t i = first; i < head; ++i) events.push_back(event_at(i));
    // The owner may be about to overwrite one more.
    const std::uint64_t end = head_.load(std::memory_order_relaxed) + 1;
    const std::uint64_t oldest = std::min(end > capacity ? end - capacity : 0, head);
    const auto gone = static_cast<std::size_t>(oldest > first ? oldest - first : 0);
    first += gone;
    const TraceChunk chunk = chunk_of(head - first, first);
    raw.append(reinterpret_cast<const char*>(&chunk), sizeof chunk);
    raw.append(reinterpret_cast<const char*>(events.data() + gone),
               (events.size() - gone) * sizeof(TraceEvent));
}

// ---- all of them ---------------------------------------------------------------------------------

TraceRecorder::TraceRecorder(int fd, std::size_t max_bytes, std::size_t capacity)
    : fd_(fd),
      is_flight_recorder_(fd < 0),
      owner_(::getpid()),
      max_bytes_(max_bytes),
      capacity_(capacity) {}

TraceRecorder::~TraceRecorder() {
    if (fd_ >= 0) ::close(fd_);
}

std::shared_ptr<TraceRecorder> TraceRecorder::to_file(int fd, std::size_t max_bytes) {
    return std::shared_ptr<TraceRecorder>(new TraceRecorder(fd, max_bytes, kFileBuffer));
}

std::shared_ptr<TraceRecorder> TraceRecorder::in_memory(std::size_t bytes_per_thread) {
    const std::size_t events = std::max<std::size_t>(bytes_per_thread / sizeof(TraceEvent), 1);
    return std::shared_ptr<TraceRecorder>(new TraceRecorder(-1, 0, std::bit_floor(events)));
}

std::shared_ptr<TraceBuffer> TraceRecorder::add_thread() {
    auto made = std::make_shared<TraceBuffer>(shared_from_this(), ++last_number_, capacity_);
    keep(made);
    return made;
}

// Nothing is allocated or freed under the lock.
void TraceRecorder::keep(std::shared_ptr<TraceBuffer> buffer) {
    Buffers room;
    for (;;) {
        {
            LockGuard guard(lock_);
            if (closed_) return;
            if (room.capacity() > buffers_.size()) {
                for (std::shared_ptr<TraceBuffer>& one : buffers_) room.push_back(std::move(one));
                room.swap(buffers_);
            }
            if (buffers_.capacity() > buffers_.size()) {
                buffers_.push_back(std::move(buffer));
                return;
            }
        }
        room.clear();
        room.reserve(2 * room.capacity() + 8);
    }
}

TraceRecorder::Buffers TraceRecorder::buffers() const {
    Buffers found;
    for (;;) {
        {
            LockGuard guard(lock_);
            if (found.capacity() >= buffers_.size()) {
                found.insert(found.end(), buffers_.begin(), buffers_.end());
                return found;
            }
        }
        found.reserve(2 * found.capacity() + 8);
    }
}

void TraceRecorder::forget_ended(const TraceBuffer& ended) {
    std::shared_ptr<TraceBuffer> gone;
    LockGuard guard(lock_);
    const auto is_ended = [](const std::shared_ptr<TraceBuffer>& one) {
        return one->ended_.load();
    };
    auto out = buffers_.end();
    if (!is_flight_recorder()) {
        out = std::find_if(buffers_.begin(), buffers_.end(),
                           [&](const auto& one) { return one.get() == &ended; });
    } else if (static_cast<std::size_t>(std::count_if(buffers_.begin(), buffers_.end(), is_ended)) >
               kMostEnded) {
        out = std::find_if(buffers_.begin(), buffers_.end(), is_ended);
    }
    if (out == buffers_.end()) return;
    gone = std::move(*out);
    buffers_.erase(out);
}

void TraceRecorder::close() {
    closed_.store(true);
    while (writing_.load() != 0) sched_yield();
    Buffers all;
    {
        LockGuard guard(lock_);
        all.swap(buffers_);
    }
    if (is_flight_recorder()) return;
    for (const std::shared_ptr<TraceBuffer>& buffer : all) buffer->write_rest();
}

void TraceRecorder::forget_file() {
    closed_ = true;
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string TraceRecorder::copy() const {
    std::string raw;
    for (const std::shared_ptr<TraceBuffer>& buffer : buffers()) buffer->copy_to(raw);
    return raw;
}

bool TraceRecorder::append(const TraceChunk& chunk, const TraceBuffer& buffer,
                           std::uint64_t first) {
    const std::size_t bytes = sizeof chunk + chunk.count * sizeof(TraceEvent);
    if (error_ != 0 || ::getpid() != owner_) return false;
    if (chunk.count != 0 && used_.fetch_add(bytes) + bytes > max_bytes_) return false;
    // Around the end of the buffer, if it must be.
    const std::uint64_t capacity = buffer.mask_ + 1;
    const std::uint64_t at = first & buffer.mask_;
    const std::uint64_t before_end = std::min<std::uint64_t>(chunk.count, capacity - at);
    const auto part = [&buffer](std::uint64_t from, std::uint64_t count) {
        return iovec{&buffer.slots_[from], static_cast<std::size_t>(count) * sizeof(TraceEvent)};
    };
    const iovec parts[] = {{const_cast<TraceChunk*>(&chunk), sizeof chunk},
                           part(at, before_end),
                           part(0, chunk.count - before_end)};
    const ssize_t written = ::writev(fd_, parts, 3);  // at the end of the file, in one piece
    if (written == static_cast<ssize_t>(bytes)) return true;
    error_ = written < 0 ? errno : ENOSPC;
    return false;
}

}  // namespace scheduler::core
