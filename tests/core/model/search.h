// A depth-first search over lists of choices: the tree is walked by running the same program again
// and again, each time with the choices of the last run up to some point and another one there.
#pragma once

#include <bit>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"

namespace scheduler::core::explore {

constexpr unsigned bit(int index) { return 1U << index; }

class Search {
  public:
    // A run begins.
    void restart() { depth_ = 0; }
    // The next choice of this run, and the options (a bit each) that were explored in its place
    // before. Has to be the same function of the choices made so far in each run.
    int choose(unsigned options, int preferred) {
        if (depth_ == choices_.size()) {
            const int first = forced(depth_, preferred);
            SCHED_CHECK((options & bit(first)) != 0, "these choices are of another program");
            choices_.push_back({.taken = first, .tried = 0, .untried = options & ~bit(first)});
        }
        return choices_[depth_++].taken;
    }
    unsigned tried_at_last_choice() const { return choices_[depth_ - 1].tried; }

    // The run is over. False: there is no other one left.
    bool advance() {
        SCHED_CHECK(depth_ == choices_.size(), "a run went another way than the one before it");
        while (!choices_.empty()) {
            Choice& last = choices_.back();
            if (last.untried != 0) {
                last.tried |= bit(last.taken);
                last.taken = std::countr_zero(last.untried);
                last.untried &= last.untried - 1;
                return true;
            }
            choices_.pop_back();
        }
        return false;
    }

    // The choices of this run, a digit each.
    std::string trace() const {
        std::string digits;
        for (std::size_t i = 0; i < depth_; ++i) {
            digits += static_cast<char>('0' + choices_[i].taken);
        }
        return digits;
    }
    // The first run is to make these choices.
    void replay(std::string trace) { forced_ = std::move(trace); }

  private:
    struct Choice {
        int taken;
        unsigned tried;
        unsigned untried;
    };

    int forced(std::size_t depth, int preferred) const {
        return depth < forced_.size() ? forced_[depth] - '0' : preferred;
    }

    std::vector<Choice> choices_;
    std::size_t depth_ = 0;
    std::string forced_;
};

}  // namespace scheduler::core::explore
