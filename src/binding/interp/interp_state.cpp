#include "binding/interp/interp_state.h"

#include <utility>

#include "binding/interp/c_stack.h"
#include "binding/interp/frames.h"
#include "binding/interp/visibility.h"
#include "core/check.h"
#include "core/stack_pool.h"

namespace scheduler::binding {

namespace {

constexpr bool kCollectsWhenAllocating = PY_VERSION_HEX < 0x030C0000;

// The root chunk of the interpreter's frame memory, laid over [split, top). Its first slot stays
// unused: by that CPython knows that the root chunk is empty and never frees it.
_PyStackChunk* root_chunk(const core::StackSpan& stack) {
    return reinterpret_cast<_PyStackChunk*>(stack.split);
}

}  // namespace

std::uintptr_t PassingState::find_any(const PyThreadState* thread) {
    const int counts = thread->recursion_headroom | thread->tracing | get_trash_nesting(thread);
    return static_cast<unsigned>(counts | (get_event(thread) ^ kNoEvent)) |
           reinterpret_cast<std::uintptr_t>(get_executor(thread));
}

PassingState::PassingState(PyThreadState* thread)
    : recursion_headroom_(thread->recursion_headroom),
      tracing_(thread->tracing),
      event_(get_event(thread)),
      trash_nesting_(get_trash_nesting(thread)),
      executor_(Py_XNewRef(get_executor(thread))) {
    clear(thread);
}

void PassingState::put_back(PyThreadState* thread) const {
    thread->recursion_headroom = recursion_headroom_;
    thread->tracing = tracing_;
    set_event(thread, event_);
    set_trash_nesting(thread, trash_nesting_);
    set_executor(thread, executor_);
    Py_XDECREF(executor_);
    refresh_use_tracing(thread);
}

void PassingState::clear(PyThreadState* thread) {
    thread->recursion_headroom = 0;
    thread->tracing = 0;
    set_event(thread, kNoEvent);
    set_trash_nesting(thread, 0);
    set_executor(thread, nullptr);
}

void InterpState::save(PyThreadState* thread) {
    critical_section_ = suspend_critical_sections(thread);
    frames_ = get_frames(thread);
    exc_info_ = thread->exc_info;
    datastack_chunk_ = thread->datastack_chunk;
    datastack_top_ = thread->datastack_top;
    datastack_limit_ = thread->datastack_limit;
    context_ = thread->context;
    recursion_remaining_ = *recursion_remaining(thread);
    recursion_limit_ = recursion_limit(thread);
    c_recursion_remaining_ = get_c_recursion(thread);
    if (kSeesWholeFrames) generators_spared_ = false;
    c_stack_bounds_ = get_c_stack_bounds(thread);
    c_stack_references_ = get_c_stack_references(thread);
    instrumentation_word_ = instrumentation_word(thread);
}

const void* InterpState::prefetch_hint() const { return innermost(frames_); }

bool InterpState::has_same_tools(PyThreadState* thread) const {
    const std::uintptr_t word_before = instrumentation_word_;
    return (instrumentation_word(thread) ^ word_before) < kVersionStep;
}

bool InterpState::is_up_to_date(PyThreadState* thread) const {
    return recursion_limit_ == recursion_limit(thread) &&
           !(kSeesWholeFrames && generators_spared_) && has_same_tools(thread);
}

void InterpState::restore_words(PyThreadState* thread) const {
    set_frames(thread, frames_);
    thread->exc_info = exc_info_;
    thread->datastack_chunk = datastack_chunk_;
    thread->datastack_top = datastack_top_;
    thread->datastack_limit = datastack_limit_;
    if (thread->context != context_) {
        thread->context = context_;
        ++thread->context_ver;
    }
    *recursion_remaining(thread) = recursion_remaining_;
    set_c_recursion(thread, c_recursion_remaining_);
    set_c_stack_bounds(thread, c_stack_bounds_);
    set_c_stack_references(thread, c_stack_references_);
    refresh_use_tracing(thread);
    resume_critical_sections(thread, critical_section_);
}

bool InterpState::restore(PyThreadState* thread) const {
    const bool has_stayed_spared =
        kSeesWholeFrames && generators_spared_ && stop_sparing_generators(innermost(frames_));
    restore_words(thread);
    const int limit = recursion_limit(thread);
    if (limit != recursion_limit_)
        *recursion_remaining(thread) = recursion_remaining_of(limit, thread);
    return has_same_tools(thread) && !has_stayed_spared;
}

// Where one count serves Python calls and C calls, a limit above what the stack has room for is
// honoured in part: the rest counts as used up. How much that is depends on the limit.
[[gnu::noinline]] int InterpState::recursion_remaining_of(int new_limit,
                                                          PyThreadState* thread) const {
    const int depth = recursion_limit_ - recursion_remaining_;
    if (!kCountsPythonCalls) return new_limit - depth;
    _PyErr_StackItem* handled = exc_info_;
    while (handled->previous_item != nullptr) handled = handled->previous_item;
    if (handled == &thread->exc_state) return new_limit - depth;  // the thread's own stack
    auto* base = reinterpret_cast<StackBase*>(reinterpret_cast<std::byte*>(handled) -
                                              offsetof(StackBase, handled_));
    const int calls = depth - base->withheld_;
    base->withheld_ = new_limit > base->allowance_ ? new_limit - base->allowance_ : 0;
    return new_limit - calls - base->withheld_;
}

void StackBase::enter(PyThreadState* thread, const core::StackSpan& stack, PyObject* context) {
    _PyStackChunk* chunk = root_chunk(stack);
    chunk->previous = nullptr;
    chunk->size = static_cast<std::size_t>(stack.top - stack.split);
    chunk->top = 0;
    thread->datastack_chunk = chunk;
    thread->datastack_top = &chunk->data[1];
    thread->datastack_limit = reinterpret_cast<PyObject**>(stack.top);

    handled_.exc_value = nullptr;
    handled_.previous_item = nullptr;
    thread->exc_info = &handled_;
    thread->context = context;
    ++thread->context_ver;
    set_c_stack_bounds(thread, bounds_of(stack));
    set_c_stack_references(thread, nullptr);
    set_frames(thread, no_frames(thread, c_frame_));

    allowance_ = recursion_allowance(stack);
    const int limit = recursion_limit(thread);
    withheld_ = kCountsPythonCalls && allowance_ < limit ? limit - allowance_ : 0;
    *recursion_remaining(thread) = limit - withheld_;
    set_c_recursion(thread, allowance_);
    refresh_use_tracing(thread);
}

PyObject* StackBase::leave(PyThreadState* thread, const core::StackSpan& stack) {
    SCHED_CHECK(thread->datastack_chunk == root_chunk(stack) &&
                    thread->datastack_top == &root_chunk(stack)->data[1],
                "a tasklet ended with Python frames left on its stack");
    return abandon(thread);
}

PyObject* StackBase::abandon(PyThreadState* thread) {
    suspend_critical_sections(thread);
    PassingState::clear(thread);
    PyObject* context = thread->context;
    thread->context = nullptr;
    return context;
}

PyObject* InterpState::frame(PyThreadState* thread) const {
    // CPython makes the frame object that the thread state points at. On 3.11 making one may start a
    // collection, whose finalizers must not run with the wrong frame in place.
    const int collecting = kCollectsWhenAllocating ? PyGC_Disable() : 0;
    void* const own = get_frames(thread);
    set_frames(thread, frames_);
    PyFrameObject* frame = PyThreadState_GetFrame(thread);
    set_frames(thread, own);
    if (collecting != 0) PyGC_Enable();
    return reinterpret_cast<PyObject*>(frame);
}

int InterpState::traverse(visitproc visit, void* arg) const {
    Py_VISIT(context_);
    if (kSeesWholeFrames) generators_spared_ = spare_generators(innermost(frames_));
    const int result = visit_frames(innermost(frames_), visit, arg);
    if (result != 0) return result;
    const _PyErr_StackItem* handled = exc_info_;
    while (handled->previous_item != nullptr) handled = handled->previous_item;
    Py_VISIT(handled->exc_value);
    return visit_c_stack_references(c_stack_references_, visit, arg);
}

void InterpState::trade_context(PyThreadState* thread) {
    context_ = std::exchange(thread->context, context_);
    ++thread->context_ver;
}

void InterpState::cut_off(PyThreadState* thread) { frames_ = cut_off_frames(frames_, thread); }

}  // namespace scheduler::binding
