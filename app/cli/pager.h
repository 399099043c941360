// SPDX-License-Identifier: Apache-2.0
// A long text for a person at a terminal: through the user's pager ($PAGER, else less), as man(1) does. The text is fit for
// display already. Thread: main.
#pragma once

#include "app/cli/context.h"

#include <string_view>

namespace carrel::cli {

// On standard output: paged where that and standard input are a terminal, else as it is. A pager that is not there, or that
// ends with an error, is no reason not to see the text: then it is printed plainly.
void printPaged(Context& context, std::string_view text);

} // namespace carrel::cli
