// SPDX-License-Identifier: Apache-2.0
// Checks of the live tests that say what was there instead. Macros, so that a failure names the test's own
// line and ends its function; for use in member functions of a test class only.
#pragma once

#include "tests/live/app/chain_world.h"

#include <QTest>

// QVERIFY2 evaluates its text before its condition.
#define QSEES(process, channel, text)                                                                        \
    do {                                                                                                     \
        seen.clear();                                                                                        \
        const bool found = waitFor(process, QProcess::channel, text, seen);                                  \
        QVERIFY2(found, seen.constData());                                                                   \
    } while (false)
#define QSTATUS(ran, wanted)                                                                                 \
    do {                                                                                                     \
        const auto is = (ran);                                                                               \
        QVERIFY2(is.status == (wanted), is.all().constData());                                               \
    } while (false)
#define QSAME(is, wanted, ...)                                                                               \
    do {                                                                                                     \
        const auto differs = difference(is, wanted __VA_OPT__(, ) __VA_ARGS__);                              \
        QVERIFY2(differs.empty(), differs.c_str());                                                          \
    } while (false)
#define QDO(call)                                                                                            \
    do {                                                                                                     \
        call;                                                                                                \
        if (QTest::currentTestFailed()) {                                                                    \
            return;                                                                                          \
        }                                                                                                    \
    } while (false)
