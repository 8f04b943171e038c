// The types scheduler.Channel and scheduler.buffered.
#pragma once

#include "binding/python/method_helpers.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding {

extern PyType_Spec channel_type_spec;
extern PyType_Spec buffered_type_spec;

template <>
inline bool is_initialised<ChannelObject>(PyObject* self) {
    return channel_of(self).initialised;
}

}  // namespace scheduler::binding
