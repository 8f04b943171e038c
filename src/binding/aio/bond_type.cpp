// The type _scheduler._Bond: how it is made, its attributes, and how a tasklet's bond is found.

#include "binding/aio/bond.h"

#include <structmember.h>

#include "binding/python/errors.h"
#include "binding/python/method_helpers.h"
#include "binding/types/tasklet_object.h"

namespace scheduler::binding {

namespace {

constexpr PyObject* BondObject::* kReferences[] = {
    &BondObject::tasklet, &BondObject::host,   &BondObject::task,   &BondObject::gate,
    &BondObject::idle,    &BondObject::reply,  &BondObject::thrown, &BondObject::value,
    &BondObject::error,   &BondObject::wanted,
};

bool find_current_task(ModuleState& state) {
    if (state.current_task) return true;
    const PyRef asyncio = PyRef::steal(PyImport_ImportModule("asyncio"));
    if (!asyncio) return false;
    PyRef function = PyRef::steal(PyObject_GetAttrString(asyncio.get(), "current_task"));
    if (!function) return false;
    state.current_task.set(std::move(function));
    return true;
}

// _Bond(host, tasklet, is_own)
PyObject* bond_new(PyTypeObject* type, PyObject* args, PyObject*) {
    ModuleState* const state = state_of_type(type);
    PyObject *host = nullptr, *tasklet = nullptr;
    int is_own = 0;
    if (state == nullptr ||
        !PyArg_ParseTuple(args, "OO!p:_Bond", &host, state->tasklet_type, &tasklet, &is_own)) {
        return nullptr;
    }
    if (!check_initialised<TaskletObject>(tasklet) || !find_current_task(*state)) return nullptr;
    return guard_memory([&]() -> PyObject* {
        SharedRef& note = body_of(tasklet).get_notes().bond;
        PyObject* const self = type->tp_alloc(type, 0);
        if (self == nullptr) return nullptr;
        BondObject& bond = bond_at(self);
        bond.host = Py_NewRef(host);
        bond.tasklet = Py_NewRef(tasklet);
        bond.is_own = is_own != 0;
        note.set(PyRef::share(self));
        return self;
    });
}

int bond_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    for (PyObject* BondObject::* reference : kReferences) Py_VISIT(bond_at(self).*reference);
    return 0;
}

// But the tasklet, which methods need.
int bond_clear(PyObject* self) {
    BondObject& bond = bond_at(self);
    for (PyObject* BondObject::* reference : kReferences) {
        if (reference != &BondObject::tasklet) bond.set(reference, {});
    }
    return 0;
}

void bond_dealloc(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    bond_clear(self);
    bond_at(self).take(&BondObject::tasklet).reset();
    type->tp_free(self);
    Py_DECREF(type);
}

// The tasklet has no bond any more.
PyObject* bond_unbind(PyObject* self, PyObject*) {
    const BondObject& bond = bond_at(self);
    if (bond_of(bond.body()) == &bond) bond.body().notes.load()->bond.set({});
    Py_RETURN_NONE;
}

// `wanted` has no value that says that nothing is: it is deleted then.
PyObject* get_wanted(PyObject* self, void*) {
    PyObject* const wanted = bond_at(self).wanted;
    if (wanted != nullptr) return Py_NewRef(wanted);
    return PyErr_Format(PyExc_AttributeError, "nothing is wanted");
}
int set_wanted(PyObject* self, PyObject* value, void*) {
    bond_at(self).set(&BondObject::wanted, PyRef::share(value));
    return 0;
}

PyMethodDef bond_methods[] = {
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(bond_throw)), METH_FASTCALL,
     nullptr},
    {"close", bond_close, METH_NOARGS, nullptr},
    {"run_coroutine", bond_run_coroutine, METH_O, nullptr},
    {"unbind", bond_unbind, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef bond_members[] = {
    {"tasklet", T_OBJECT, offsetof(BondObject, tasklet), READONLY, nullptr},
    {"host", T_OBJECT, offsetof(BondObject, host), READONLY, nullptr},
    {"task", T_OBJECT, offsetof(BondObject, task), 0, nullptr},
    {"gate", T_OBJECT, offsetof(BondObject, gate), 0, nullptr},
    {"idle", T_OBJECT, offsetof(BondObject, idle), 0, nullptr},
    {"reply", T_OBJECT, offsetof(BondObject, reply), 0, nullptr},
    {"thrown", T_OBJECT, offsetof(BondObject, thrown), 0, nullptr},
    {"value", T_OBJECT, offsetof(BondObject, value), 0, nullptr},
    {"error", T_OBJECT, offsetof(BondObject, error), 0, nullptr},
    {"depth", T_PYSSIZET, offsetof(BondObject, depth), 0, nullptr},
    {"is_own", T_BOOL, offsetof(BondObject, is_own), READONLY, nullptr},
    {"is_inside", T_BOOL, offsetof(BondObject, is_inside), READONLY, nullptr},
    {"is_waiting", T_BOOL, offsetof(BondObject, is_waiting), 0, nullptr},
    {"is_served", T_BOOL, offsetof(BondObject, is_served), 0, nullptr},
    {"is_answered", T_BOOL, offsetof(BondObject, is_answered), 0, nullptr},
    {"is_closed", T_BOOL, offsetof(BondObject, is_closed), 0, nullptr},
    {"has_ended", T_BOOL, offsetof(BondObject, has_ended), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef bond_attributes[] = {
    {"wanted", get_wanted, set_wanted, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot bond_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(bond_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(bond_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(bond_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(bond_clear)},
    {Py_am_await, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(bond_next)},
    {Py_tp_methods, bond_methods},
    {Py_tp_members, bond_members},
    {Py_tp_getset, bond_attributes},
    {0, nullptr},
};

}  // namespace

PyType_Spec bond_type_spec = {
    "scheduler._Bond", sizeof(BondObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    bond_slots};

}  // namespace scheduler::binding
