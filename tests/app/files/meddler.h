// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/app/files/files_world.h"

#include <functional>

namespace carrel::files::test {

// Before the first step of that name: does something, and may refuse the step.
class Meddler : public StepHook {
public:
    std::string step;
    std::function<void()> action;
    int error = 0;
    int before(std::string_view name, std::string_view) override {
        if (name == step) {
            step.clear();
            if (action) {
                action();
            }
            return error;
        }
        return 0;
    }
};

#define VERIFY_OK(result) QVERIFY2((result).has_value(), (result) ? "" : (result).error().text().c_str())

} // namespace carrel::files::test
