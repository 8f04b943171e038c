#include "binding/types/manager_type.h"

#include <structmember.h>

#include "binding/python/method_helpers.h"
#include "binding/threads/current_manager.h"

namespace scheduler::binding {

namespace {

void guard_dealloc(PyObject* self) {
    auto* guard = reinterpret_cast<ThreadGuard*>(self);
    PyTypeObject* type = Py_TYPE(self);
    if (guard->body != nullptr) {
        ErrorStash stash;
        guard->body->end_with_guard();
    }
    Py_XDECREF(guard->manager_object);
    PyObject_Free(self);
    Py_DECREF(type);
}

void manager_dealloc(PyObject* self) {
    auto* object = reinterpret_cast<ManagerObject*>(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    if (object->body != nullptr) object->body->drop_reference();
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyObject* manager_repr(PyObject* self) {
    const ManagerBody& body = *reinterpret_cast<ManagerObject*>(self)->body;
    PyRef type = full_type_name(self);
    if (!type) return nullptr;
    if (body.finished()) return PyUnicode_FromFormat("<%U ended at %p>", type.get(), self);
    // The queue of another thread stands still only while this one has the GIL.
    if (!kHasGil && existing_manager_of_this_thread(body.state) != &body) {
        return PyUnicode_FromFormat("<%U thread=%lu at %p>", type.get(), body.thread_id, self);
    }
    return PyUnicode_FromFormat("<%U thread=%lu runcount=%zu at %p>", type.get(), body.thread_id,
                                body.run_count(), self);
}

int manager_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

PyMemberDef manager_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ManagerObject, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyDoc_STRVAR(
    manager_doc,
    "The scheduling state of one thread. get_schedule_manager() returns it; it has no public "
    "attributes and cannot be made by a program.");

PyType_Slot manager_slots[] = {
    {Py_tp_doc, const_cast<char*>(manager_doc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(manager_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(manager_traverse)},
    {Py_tp_repr, reinterpret_cast<void*>(manager_repr)},
    {Py_tp_members, manager_members},
    {0, nullptr},
};

PyType_Slot thread_guard_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(guard_dealloc)},
    {0, nullptr},
};

}  // namespace

PyType_Spec manager_type_spec = {"scheduler.ScheduleManager", sizeof(ManagerObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                     Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                                 manager_slots};

PyType_Spec thread_guard_type_spec = {
    "scheduler._ThreadGuard", sizeof(ThreadGuard), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    thread_guard_slots};

}  // namespace scheduler::binding
