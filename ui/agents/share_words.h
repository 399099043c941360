// SPDX-License-Identifier: Apache-2.0
// What there is to tell of a folder when it is chosen (common.json, "share"): placeholders, a drive that reports nothing.
#pragma once

#include <boost/json.hpp>

#include <QStringList>

namespace carrel::ui {

[[nodiscard]] QStringList chosenNotes(const boost::json::object& share);

} // namespace carrel::ui
