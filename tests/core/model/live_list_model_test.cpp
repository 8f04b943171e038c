// The live list: a thread that ends finds its live tasklets while another thread destroys one.

#include <gtest/gtest.h>

#include <memory>

#include "model_host.h"

namespace {

using scheduler::core::Atomic;
using scheduler::core::Tasklet;
using scheduler::core::TaskletState;
using scheduler::core::explore::body_of;
using scheduler::core::explore::expect;
using scheduler::core::explore::expect_passed;
using scheduler::core::explore::explore;
using scheduler::core::explore::ModelTasklet;
using scheduler::core::explore::ModelThread;
using scheduler::core::explore::Program;

class Destroying : public Program {
  public:
    Destroying() {
        for (auto& tasklet : tasklets_) {
            tasklet = std::make_unique<ModelTasklet>();
            owner_.adopt(*tasklet);
            owner_.manager().join_live_list(*tasklet);
        }
        owner_.manager().add_reference();
        add_thread([this] {
            while (Tasklet* const tasklet = owner_.manager().any_live_tasklet()) {
                owner_.manager().leave_live_list(*tasklet);
                tasklet->state.die();
                drop_reference(body_of(*tasklet));
            }
            owner_.end();
        });
        add_thread([this] {
            drop_reference(*tasklets_[0]);
            owner_.manager().drop_reference();
        });
    }
    void check_end() override {
        expect(destroyed_.load() == 1, "a tasklet is not destroyed once");
        expect(tasklets_[1]->references == 1 && !tasklets_[1]->alive(), "a tasklet is overlooked");
    }

  private:
    void drop_reference(ModelTasklet& tasklet) {
        if (tasklet.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        if (tasklet.alive()) owner_.manager().leave_live_list(tasklet);
        tasklets_[0].reset();
        destroyed_.fetch_add(1);
    }

    ModelThread owner_;
    std::unique_ptr<ModelTasklet> tasklets_[2];
    Atomic<int> destroyed_{0};
};

TEST(LiveListModel, TaskletIsDestroyedElsewhereAsItsThreadEnds) {
    expect_passed(explore<Destroying>({}), 1'000);
}

}  // namespace
