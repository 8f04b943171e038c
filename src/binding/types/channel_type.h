// The type scheduler.Channel.
#pragma once

#include "binding/python/method_helpers.h"
#include "binding/types/channel_object.h"

namespace scheduler::binding {

extern PyType_Spec channel_type_spec;

template <>
inline bool is_initialised<ChannelObject>(PyObject* self) {
    return channel_of(self).initialised;
}

}  // namespace scheduler::binding
