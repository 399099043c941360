// SPDX-License-Identifier: Apache-2.0
// Where a key of a home is (that of the rules' seal, that of the logs): in the keyring where there is one, else in a file; and always where it was first.
//
// The first key that is kept decides, and a record beside it says so from before the key is there. From then on a keyring
// that is locked, slow or gone means Unavailable, and so that everything is denied: never a new key in a file. Otherwise
// whoever can take the keyring away for a moment (end its process, start Carrel outside the desktop's session) would be asked
// for nothing more than a rules' file that is sealed with a key which lies beside it, for every program of the user's to read.
//
//   record    keyring                       key
//   keyring   any                           there, or Unavailable
//   file      any                           in the file; a keyring that comes later changes nothing
//   none      holds this home's key         there: a record was lost, and what it said is still known
//   none      is there, holds none          there; in the file if that has a key, for the same reason
//   none      locked, or does not answer    Unavailable: whether it has the key is not known
//   none      absent                        in the file
//   broken    any                           Malformed
//
// The limit of this: who can write to Carrel's folder and take the keyring away can put back the state of a home that never
// had a key, rules' file and record removed. Then what the owner denied is asked again; nothing is allowed by it.
// Owner: a RuleBook, a LogKeeper. Thread: one at a time; blocks as the keepers do.
#pragma once

#include "app/desktop/secret_service_keeper.h"

#include <filesystem>
#include <memory>

namespace carrel::desktop {

struct SealPlaces {
    std::filesystem::path record; // which was chosen
    std::filesystem::path keyFile;
    SecretServiceKeeper::Options keyring;
};

// Asks nobody yet: each load() and keep() chooses, so that what was not to be had may be later.
[[nodiscard]] std::unique_ptr<policy::SealKeeper> chosenSealKeeper(SealPlaces places);

} // namespace carrel::desktop
