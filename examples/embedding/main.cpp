// A host program in C++: it owns the main loop, and tasklets written in Python get a share of each
// frame.
//
// Every function of the table follows Python's rules: failures come back as nullptr or -1 with a
// Python error set, and arguments are borrowed. Here each failure ends the program.
#include <Scheduler.h>

#include <cstdlib>

namespace {

constexpr long long kBudget = 500'000'000;  // ns of each frame; a game would give two milliseconds
constexpr int kFrames = 3;

// Ends the program with the Python error, if there is one.
template <typename Result>
Result checked(Result result) {
    if (PyErr_Occurred() != nullptr) {
        PyErr_Print();
        std::exit(1);
    }
    return result;
}

template <typename... Objects>
void release(Objects*... objects) {
    (Py_DECREF(reinterpret_cast<PyObject*>(objects)), ...);
}

// Starts the interpreter as `python` of the environment that CMake found: with its packages.
void start_python() {
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, PYTHON_PROGRAM);
    if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
    PyObject* path = PySys_GetObject("path");  // borrowed
    PyObject* directory = checked(PyUnicode_DecodeFSDefault(SCRIPT_DIRECTORY));
    checked(PyList_Append(path, directory));
    release(directory);
}

// Queues function(*arguments) as a tasklet; both are used up. Returns a new reference.
PyTaskletObject* spawn(PyObject* function, PyObject* arguments) {
    SchedulerCAPI* api = SchedulerAPI();
    PyObject* constructor = checked(PyTuple_Pack(1, function));
    PyTaskletObject* tasklet = checked(api->PyTasklet_New(api->PyTaskletType, constructor));
    checked(api->PyTasklet_Setup(tasklet, arguments, nullptr));
    release(constructor, function, arguments);
    return tasklet;
}

// Python: frame = next_frame(). Waits on the host's channel; other tasklets run meanwhile, and this
// C++ frame stays where it is. nullptr, with TaskletExit set: the tasklet is being killed.
PyObject* next_frame(PyObject* channel, PyObject*) {
    return SchedulerAPI()->PyChannel_Receive(reinterpret_cast<PyChannelObject*>(channel));
}
PyMethodDef next_frame_method = {"next_frame", next_frame, METH_NOARGS, nullptr};

// Tells all who wait for it that a frame has begun. They are queued and run with the frame.
void begin_frame(PyChannelObject* frames, int number) {
    SchedulerCAPI* api = SchedulerAPI();
    PyObject* value = checked(PyLong_FromLong(number));
    while (checked(api->PyChannel_GetBalance(frames)) < 0) {
        checked(api->PyChannel_Send(frames, value));
    }
    release(value);
}

void play(PyObject* guards) {
    SchedulerCAPI* api = SchedulerAPI();
    PyChannelObject* frames = checked(api->PyChannel_New(nullptr));
    PyChannelObject* orders = checked(api->PyChannel_New(nullptr));
    api->PyChannel_SetPreference(frames, 1);  // who sends goes on, who receives is queued
    api->PyChannel_SetPreference(orders, 1);

    PyObject* waits = checked(PyCFunction_New(&next_frame_method, (PyObject*)frames));
    PyTaskletObject* anna = spawn(checked(PyObject_GetAttrString(guards, "patrol")),
                                  checked(Py_BuildValue("(sO)", "Anna", waits)));
    PyTaskletObject* bert = spawn(checked(PyObject_GetAttrString(guards, "obey")),
                                  checked(Py_BuildValue("(sO)", "Bert", orders)));

    for (int frame = 0; frame < kFrames; ++frame) {
        PySys_WriteStdout("frame %d\n", frame);
        begin_frame(frames, frame);
        release(checked(api->PyScheduler_RunWithTimeout(kBudget)));
        if (frame == 1) {
            PyObject* order = checked(PyUnicode_FromString("open the gate"));
            checked(api->PyChannel_Send(orders, order));  // Bert waits for it: no switch here
            release(order);
        }
    }

    PySys_WriteStdout("the end\n");
    checked(api->PyTasklet_Kill(bert));  // it still waits for orders
    PySys_WriteStdout("alive: Anna %d, Bert %d\n", checked(api->PyTasklet_Alive(anna)),
                      checked(api->PyTasklet_Alive(bert)));
    release(anna, bert, waits, frames, orders);
}

}  // namespace

int main() {
    start_python();
    checked(SchedulerAPI());  // imports the package, once
    PyObject* guards = checked(PyImport_ImportModule("guards"));
    play(guards);
    release(guards);
    return Py_FinalizeEx() == 0 ? 0 : 1;
}
