// The schedule managers that have not ended, of all threads and all module objects of the process.
#pragma once

#include <utility>
#include <vector>

#include "binding/scheduling/manager_body.h"

namespace scheduler::binding {

void list_manager(ManagerBody& manager);
void unlist_manager(ManagerBody& manager);

// The calling Python thread's manager in that module object, or nullptr. The thread's dictionary
// tells so faster; this is for a thread that has none.
ManagerBody* listed_manager_of_this_thread(const ModuleState& state);
// A manager of the calling thread, in whatever module object, with its main tasklet current; or
// nullptr.
ManagerBody* idle_manager_of_this_thread();

// Owns a reference to a manager.
class ManagerRef {
  public:
    explicit ManagerRef(ManagerBody& manager) : manager_(&manager) { manager.add_reference(); }
    ManagerRef(ManagerRef&& other) noexcept : manager_(std::exchange(other.manager_, nullptr)) {}
    ManagerRef& operator=(ManagerRef&& other) noexcept {
        std::swap(manager_, other.manager_);
        return *this;
    }
    ~ManagerRef() {
        if (manager_ != nullptr) manager_->drop_reference();
    }

    ManagerBody* get() const { return manager_; }
    ManagerBody* operator->() const { return manager_; }

  private:
    ManagerBody* manager_;
};

struct ListedManager {
    ManagerRef manager;
    PyRef main;  // its main tasklet
};

// Those of a module object, oldest first. std::bad_alloc without memory.
std::vector<ListedManager> managers_of(const ModuleState& state);

}  // namespace scheduler::binding
