// Traces of what tasklets do: started and stopped for all threads of an interpreter, and what is told of
// tasklets and threads besides.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

// False with an error set: there is one already. May run Python.
bool start_trace(ModuleState& state, const std::shared_ptr<core::TraceRecorder>& recorder);
// Empty: there was none. Its threads may still be about to write, which nobody reads.
std::shared_ptr<core::TraceRecorder> stop_trace(ModuleState& state);
// A child of fork() has no part in the trace of its parent.
void forget_trace(ModuleState& state);

// A flight recorder's events, and the names of the tasklets that are alive.
std::string copy_trace(ModuleState& state, const core::TraceRecorder& recorder);

// "It is here", as the program says. False, perhaps with an error set: there is no trace.
bool mark_trace(ModuleState& state, std::string_view text);

// ---- what the calling thread, if it is in a trace, tells of
// A tasklet has been given something to do, or another name.
void trace_tasklet(const TaskletBody& tasklet, core::TraceKind kind);
void trace_channel(ModuleState& state, const core::Channel& channel);
// When that happens which begins now; 0: there is no trace.
inline std::uint64_t trace_time(const ManagerBody& manager) {
    core::TraceBuffer* const trace = manager.trace();
    return trace != nullptr ? trace->look() : 0;
}
// A transfer with the partner of `match`, if there was one, that began at `time`.
void trace_transfer(ManagerBody& manager, std::uint64_t time, const core::Channel& channel,
                    core::Direction direction, const core::Rendezvous& match);

// Something has failed that whoever keeps a flight recorder wants to look at. Calls what he has asked for, which must
// not switch; the error that is set stays.
void tell_failure(ManagerBody& manager);

}  // namespace scheduler::binding
