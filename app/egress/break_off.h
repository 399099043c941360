// SPDX-License-Identifier: Apache-2.0
// Ending a connection that somebody else has a descriptor of, too. Thread: any.
#pragma once

namespace carrel::egress {

// As a reset at both its ends: an orderly end would make what has come so far look whole.
void breakOff(int socket);

} // namespace carrel::egress
