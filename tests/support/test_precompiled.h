// SPDX-License-Identifier: Apache-2.0
// What nearly every test reads, read once (precompiled.h says why, and that nothing depends on it).
#pragma once

#include "resources/cmake/precompiled.h"

#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <fstream>
#include <sstream>
