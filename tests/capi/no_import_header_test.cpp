// With SCHEDULER_MODULE the header leaves SchedulerAPI() out: the name is free for other uses here.
#define SCHEDULER_MODULE
#include <Scheduler.h>

#include "spec.h"

namespace {

struct SchedulerAPI {
    int free_for_others = 1;
};

TEST(NoImportHeaderTest, SchedulerApiIsNotDeclared) {
    SPEC("K-02");
    EXPECT_EQ(SchedulerAPI{}.free_for_others, 1);
    EXPECT_EQ(sizeof(SchedulerCAPI), 64 * sizeof(void*));
}

}  // namespace
