// A host program in C++: it owns the main loop, and tasklets written in Python get a share of each
// frame. What fails throws a scheduler::PythonError; here each one ends the program.
#include <SchedulerCpp.hpp>

#include <chrono>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

constexpr auto kBudget = 500ms;  // of each frame; a game would give two milliseconds
constexpr int kFrames = 3;

int main() try {
    scheduler::Interpreter python(PYTHON_PROGRAM);  // of the environment that CMake found
    python.add_path(SCRIPT_DIRECTORY);
    const scheduler::Object guards = scheduler::import_module("guards");
    const scheduler::Object print = scheduler::import_module("builtins").attr("print");

    scheduler::Channel<int> frames;
    scheduler::Channel<std::string> orders;
    frames.set_preference(1);  // who sends goes on, who receives is queued
    orders.set_preference(1);

    // C++ code that waits: other tasklets run meanwhile, and this C++ frame stays where it is.
    const auto next_frame = scheduler::function("next_frame", [&] { return frames.receive(); });
    const auto anna = scheduler::spawn(guards.attr("patrol"), "Anna", next_frame);
    const auto bert = scheduler::spawn(guards.attr("obey"), "Bert", orders);

    for (int frame = 0; frame < kFrames; ++frame) {
        print("frame", frame);
        while (frames.balance() < 0) frames.send(frame);  // all who wait for it run with the frame
        scheduler::run(kBudget);
        if (frame == 1) orders.send("open the gate");  // Bert waits for it: no switch here
    }

    print("the end");
    orders.close();  // ends Bert's loop
    scheduler::run();
    print("alive: Anna", anna.alive(), "Bert", bert.alive());
} catch (const scheduler::PythonError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
