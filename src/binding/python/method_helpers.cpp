#include "binding/python/method_helpers.h"

#include <algorithm>
#include <climits>

namespace scheduler::binding {

PyObject* list_of(std::vector<PyRef> objects) {
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(objects.size()));
    for (std::size_t i = 0; list != nullptr && i < objects.size(); ++i) {
        PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), objects[i].release());
    }
    return list;
}

bool check_count(const char* name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most) {
    if (given >= least && given <= most) return true;
    if (most == 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes no arguments (%zd given)", name, given);
    } else if (least == most) {
        PyErr_Format(PyExc_TypeError, "%s() takes exactly %zd argument%s (%zd given)", name, most,
                     most == 1 ? "" : "s", given);
    } else {
        PyErr_Format(PyExc_TypeError, "%s() takes from %zd to %zd arguments (%zd given)", name,
                     least, most, given);
    }
    return false;
}

namespace {

bool is_text(PyObject* string, std::string_view ascii) {
    return PyUnicode_IS_COMPACT_ASCII(string) &&
           std::string_view(static_cast<const char*>(PyUnicode_DATA(string)),
                            static_cast<std::size_t>(PyUnicode_GET_LENGTH(string))) == ascii;
}

// Which of the parameters an argument's keyword names; -1 with TypeError set: none.
Py_ssize_t index_of(PyObject* keyword, const char* function,
                    std::span<const std::string_view> parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!parameters[i].empty() && is_text(keyword, parameters[i])) {
            return static_cast<Py_ssize_t>(i);
        }
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function,
                 keyword);
    return -1;
}

}  // namespace

bool parse_named_arguments(const char* function, std::span<const std::string_view> parameters,
                           Py_ssize_t required, PyObject* const* args, Py_ssize_t count,
                           PyObject* keywords, std::span<PyObject*> parsed) {
    const auto most = static_cast<Py_ssize_t>(parameters.size());
    const Py_ssize_t named = keywords != nullptr ? PyTuple_GET_SIZE(keywords) : 0;
    if (count > most || count + named < required) {
        return check_count(function, count + named, required, most);
    }
    std::fill(std::copy(args, args + count, parsed.begin()), parsed.end(), nullptr);
    for (Py_ssize_t i = 0; i < named; ++i) {
        PyObject* const keyword = PyTuple_GET_ITEM(keywords, i);
        const Py_ssize_t at = index_of(keyword, function, parameters);
        if (at < 0) return false;
        PyObject*& place = parsed[static_cast<std::size_t>(at)];
        if (place != nullptr) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", function,
                         keyword);
            return false;
        }
        place = args[count + i];
    }
    for (Py_ssize_t i = 0; i < required; ++i) {
        if (parsed[static_cast<std::size_t>(i)] == nullptr)
            return check_count(function, 0, required, most);
    }
    return true;
}

namespace {

// An attribute of a type, if it is a str: CPython's own look-up, without code of a metaclass.
PyRef type_text(PyTypeObject* type, const char* attribute) {
    PyRef name = PyRef::steal(PyUnicode_FromString(attribute));
    if (!name) return {};
    PyRef text =
        PyRef::steal(PyType_Type.tp_getattro(reinterpret_cast<PyObject*>(type), name.get()));
    if (text && PyUnicode_Check(text.get())) return text;
    PyErr_Clear();
    return PyRef::steal(PyUnicode_FromString("?"));
}

}  // namespace

void raise_no_memory() noexcept { PyErr_NoMemory(); }

PyRef full_type_name(PyObject* self) {
    PyRef module = type_text(Py_TYPE(self), "__module__");
    if (!module) return {};
    PyRef name = type_text(Py_TYPE(self), "__qualname__");
    if (!name) return {};
    return PyRef::steal(PyUnicode_FromFormat("%U.%U", module.get(), name.get()));
}

bool parse_constructor(const Constructor& constructor, PyObject* self, Py_ssize_t extra,
                       PyObject* kwargs, PyObject** value) {
    *value = nullptr;
    const PyTypeObject* const type = Py_TYPE(self);
    const bool inherits_init = type->tp_init == constructor.init;
    if (inherits_init && type->tp_new != constructor.make) return true;
    if (kwargs != nullptr) {
        PyRef key = PyRef::steal(PyUnicode_FromString(constructor.keyword));
        if (!key) return false;
        *value = PyDict_GetItemWithError(kwargs, key.get());
        if (*value == nullptr && PyErr_Occurred() != nullptr) return false;
        extra += PyDict_GET_SIZE(kwargs) - (*value != nullptr ? 1 : 0);
    }
    if (extra == 0 || !inherits_init) return true;
    return PyErr_WarnEx(PyExc_RuntimeWarning, constructor.warning, 1) == 0;
}

PyObject* refuse_to_pickle(PyObject* self, PyObject*) {
    PyErr_Format(PyExc_TypeError, "cannot pickle or copy '%.200s' object", Py_TYPE(self)->tp_name);
    return nullptr;
}

int int_argument(PyObject* argument) {
    const long value = PyLong_AsLong(argument);
    if (value == -1 && PyErr_Occurred() != nullptr) return -1;
    if (value < INT_MIN || value > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "the int is too large for a C int");
        return -1;
    }
    return static_cast<int>(value);
}

}  // namespace scheduler::binding
