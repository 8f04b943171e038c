// SchedulerPython.hpp and SchedulerValues.hpp: references, errors, values, functions, the interpreter.
#include <SchedulerCpp.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "cpp_fixture.h"
#include "own_process.h"

struct Point {
    int x, y;
};

template <>
struct scheduler::Convert<Point> {
    static Object to_python(const Point& point) { return detail::tuple(point.x, point.y); }
    static Point from_python(const Object& object) {
        return {object.attr("__getitem__")(0).as<int>(), object.attr("__getitem__")(1).as<int>()};
    }
};

namespace capi_test {
namespace {

using scheduler::Object;
using scheduler::PythonError;
using scheduler::to_python;

class CppValuesTest : public CppTest {};

template <typename T>
bool comes_back(const T& value) {
    return to_python(value).template as<T>() == value;
}

// ---- values ------------------------------------------------------------------------------------

TEST_F(CppValuesTest, ValuesGoThereAndBack) {
    SPEC("K-32");
    EXPECT_TRUE(comes_back(0));
    EXPECT_TRUE(comes_back(std::numeric_limits<long long>::min()));
    EXPECT_TRUE(comes_back(std::numeric_limits<unsigned long long>::max()));
    EXPECT_TRUE(comes_back(std::int8_t{-128}));
    EXPECT_TRUE(comes_back(true));
    EXPECT_TRUE(comes_back(-0.25));
    EXPECT_TRUE(comes_back(std::string("gr\xC3\xBC\xC3\x9F")));
    EXPECT_TRUE(comes_back(std::string("a\0b", 3)));
    EXPECT_EQ(to_python(nullptr).get(), Py_None);
    const Point point = to_python(Point{3, 4}).as<Point>();
    EXPECT_EQ(point.x * 10 + point.y, 34);
    const Object same = python("object()");
    EXPECT_EQ(same.as<Object>().get(), same.get());
}

TEST_F(CppValuesTest, WhatHasNoValueIsRefused) {
    SPEC("K-32");
    EXPECT_EQ(thrown([&] { python("128").as<std::int8_t>(); }).rfind("OverflowError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("-1").as<unsigned>(); }).rfind("OverflowError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("1 << 70").as<long long>(); }).rfind("OverflowError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("1.5").as<int>(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("'x'").as<double>(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("1").as<bool>(); }), "TypeError: expected a bool");
    EXPECT_EQ(thrown([&] { python("b'x'").as<std::string>(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { python("'\\udcff'").as<std::string>(); }).rfind("UnicodeEncodeError", 0),
              0U);
    EXPECT_EQ(thrown([] { to_python("\xFF"); }).rfind("UnicodeDecodeError", 0), 0U);
}

// ---- references --------------------------------------------------------------------------------

TEST_F(CppValuesTest, HandlesOwnTheirReferences) {
    SPEC("K-32");
    const Ref watched = eval("object()");
    {
        Object first = Object::borrow(watched.get());
        Object second = first;
        EXPECT_EQ(watched.count(), 3);
        second = std::move(first);
        EXPECT_FALSE(first);  // NOLINT
        EXPECT_EQ(watched.count(), 2);
        second = Object();
        EXPECT_EQ(watched.count(), 1);
        EXPECT_FALSE(Object::borrow(nullptr));
        const Object self = scheduler::none();
        Object third = Object::borrow(watched.get());
        Ref::steal(third.release());
    }
    EXPECT_EQ(watched.count(), 1);
    EXPECT_EQ(thrown([] { Object::steal(nullptr); }), "a call has failed without a Python error");
}

TEST_F(CppValuesTest, AHandleMayBeDroppedWithoutTheGil) {
    SPEC("K-32", "K-06");
    const Ref watched = eval("object()");
    auto handle = std::make_unique<Object>(Object::borrow(watched.get()));
    on_other_thread([&] { handle.reset(); });
    // Without the GIL the owner's thread does the rest, while it runs Python.
    eval("(lambda: None)()");
    EXPECT_EQ(watched.count(), 1);
}

TEST_F(CppValuesTest, ObjectsAreCalled) {
    SPEC("K-32");
    const Object text = scheduler::import_module("os.path").attr("join")("a", std::string("b"));
    EXPECT_EQ(text.as<std::string>(), "a/b");
    EXPECT_EQ(python("lambda: 7")().as<int>(), 7);
    EXPECT_EQ(thrown([&] { text(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { text.attr("no_such"); }).rfind("AttributeError", 0), 0U);
    EXPECT_EQ(thrown([] { scheduler::import_module("no.such"); }).rfind("ModuleNotFoundError", 0),
              0U);
}

TEST_F(CppValuesTest, AnEmptyObjectIsRefused) {
    SPEC("K-32", "K-07");
    const std::string text = "TypeError: a scheduler::Object that is empty refers to no object";
    const Object empty;
    scheduler::Channel<> from;
    const scheduler::Channel<> channel(std::move(from));
    EXPECT_EQ(thrown([&] { empty.attr("name"); }), text);
    EXPECT_EQ(thrown([&] { empty(1); }), text);
    EXPECT_EQ(thrown([&] { python("print")(empty); }), text);
    EXPECT_EQ(thrown([&] { empty.as<bool>(); }), text);
    EXPECT_EQ(thrown([&] { empty.as<std::string>(); }), text);
    EXPECT_EQ(thrown([&] { channel.send(empty, scheduler::Seconds(0)); }), text);
    EXPECT_EQ(thrown([&] { from.next(); }), text);  // NOLINT
    EXPECT_EQ(thrown([&] { from.receive(); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { scheduler::select({from.receiving()}); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(thrown([&] { scheduler::spawn(empty); }).rfind("TypeError", 0), 0U);
    EXPECT_EQ(
        thrown([&] { channel.send_exception(PythonError("no Python")); }).rfind("RuntimeError", 0),
        0U);
}

// ---- errors ------------------------------------------------------------------------------------

TEST_F(CppValuesTest, AnErrorIsKeptAndGivenBack) {
    SPEC("K-32");
    run("kept = KeyError('no')\n"
        "def fail(): raise kept");
    const Ref kept = eval("kept");
    const Py_ssize_t before = kept.count();
    try {
        python("fail")();
        FAIL() << "it must throw";
    } catch (const PythonError& error) {
        EXPECT_FALSE(PyErr_Occurred());
        EXPECT_STREQ(error.what(), "KeyError: 'no'");
        EXPECT_EQ(error.value().get(), kept.get());
        EXPECT_TRUE(error.matches(PyExc_LookupError));
        EXPECT_FALSE(error.matches(PyExc_ValueError));
        const PythonError copy = error;
        copy.restore();
        EXPECT_EQ(take_error_and_text(), "KeyError: 'no'");
    }
    EXPECT_EQ(kept.count(), before);
    EXPECT_EQ(text("kept.__traceback__.tb_frame.f_code.co_name"), "'fail'");  // where it was raised
    run("kept.__traceback__ = None");
    const PythonError text_only("no Python in it");
    EXPECT_FALSE(text_only.value());
    EXPECT_FALSE(text_only.matches(PyExc_Exception));
    text_only.restore();
    EXPECT_EQ(take_error_and_text(), "RuntimeError: no Python in it");
}

TEST_F(CppValuesTest, WithoutAGilAFailureSaysSo) {
    SPEC("K-32", "K-06");
    EXPECT_EQ(scheduler::run_count(), 1);
    std::string text;
    on_other_thread([&] { text = thrown([] { scheduler::run_turns(0); }); });
    EXPECT_EQ(text, "no Python error: this thread needs a Gil");
}

TEST_F(CppValuesTest, AFunctionReturnsNoneForNothing) {
    SPEC("K-32");
    EXPECT_EQ(scheduler::function("f", [] {})().get(), Py_None);
    EXPECT_EQ(scheduler::function("f", [] { return Object(); })().get(), Py_None);
    EXPECT_EQ(scheduler::function("f", [] { return 3; }).attr("__name__").as<std::string>(), "f");
    auto counted = std::make_shared<int>(0);
    Object holder = scheduler::function("f", [counted] { return ++*counted; });
    holder();
    EXPECT_EQ(holder().as<int>(), 2);
    EXPECT_EQ(counted.use_count(), 2);
    holder = Object();
    EXPECT_EQ(counted.use_count(), 1);
}

class FirstCallDeathTest : public DeathTest {};

[[noreturn]] void check_a_first_call() {
    std::string text;
    on_other_thread([&] { text = thrown([] { scheduler::run_count(); }); });
    REQUIRE(text == "the first call needs a Gil");
    REQUIRE(scheduler::run_count() == 1);
    std::_Exit(0);
}

TEST_F(FirstCallDeathTest, TheFirstCallNeedsTheGil) {
    SPEC("K-32", "K-02");
    EXPECT_EXIT(check_a_first_call(), ::testing::ExitedWithCode(0), "");
}

// ---- the interpreter ---------------------------------------------------------------------------

class InterpreterDeathTest : public DeathTest {};

[[noreturn]] void check_an_interpreter() {
    REQUIRE(thrown([] { scheduler::Interpreter(); }) == "Python is running already");
    const std::string program =
        scheduler::import_module("sys").attr("executable").as<std::string>();
    Object survivor = to_python("longer than Python");
    REQUIRE(Py_FinalizeEx() == 0);
    REQUIRE(thrown([] { scheduler::Gil(); }) == "Python is not running: no thread can attach");
    survivor = Object();  // does nothing
    Object late;
    {
        scheduler::Interpreter python(program.empty() ? nullptr : program.c_str());
        scheduler::import_module("scheduler");
        python.add_path("/no/such/directory");
        const Object last = scheduler::import_module("sys").attr("path").attr("pop")();
        REQUIRE(last.as<std::string>() == "/no/such/directory");
        scheduler::Channel<int> numbers;
        late = numbers;
        scheduler::Tasklet receiver = scheduler::spawn([&] { return numbers.receive() + 1; });
        numbers.send(1);
        REQUIRE(receiver.result<int>() == 2);
        REQUIRE(python.finish());
        REQUIRE(python.finish());  // again: nothing to do
    }
    late = Object();
    std::_Exit(0);
}

TEST_F(InterpreterDeathTest, AnInterpreterRunsForTheLifeOfTheObject) {
    SPEC("K-32");
    EXPECT_EXIT(check_an_interpreter(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace capi_test
