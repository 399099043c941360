// SPDX-License-Identifier: Apache-2.0
// What nearly every test of the window reads, read once (resources/cmake/precompiled.h says why, and that nothing depends on it).
#pragma once

#include "tests/support/test_precompiled.h"

#include <QSignalSpy>
#include <QtWidgets>
