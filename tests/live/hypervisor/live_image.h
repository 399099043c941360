// SPDX-License-Identifier: Apache-2.0
// The image under test and a home of its own for one live test.
#pragma once

#include "hypervisor/api/backend.h"

#include <QTemporaryDir>

#include <filesystem>
#include <memory>
#include <string>

namespace carrel::hypervisor {

class LiveImage {
public:
    LiveImage();
    // Why no machine can be booted here; empty when one can.
    [[nodiscard]] const std::string& whyNot() const { return m_whyNot; }
    [[nodiscard]] std::filesystem::path folder() const { return m_folder.path().toStdString(); }
    [[nodiscard]] MachineSpec spec(const HomeId& home) const; // with a disk
    [[nodiscard]] HostProbe probe(const HomeId& home) const;
    [[nodiscard]] std::unique_ptr<Backend> makeBackend() const;

private:
    std::string m_whyNot;
    QTemporaryDir m_folder;
    std::filesystem::path m_image;
    std::filesystem::path m_initrd;
};

} // namespace carrel::hypervisor
