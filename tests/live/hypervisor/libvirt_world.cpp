// SPDX-License-Identifier: Apache-2.0
#include "tests/hypervisor/contract/machine_contract.h"
#include "tests/live/hypervisor/live_image.h"

#include <unistd.h>

namespace carrel::hypervisor {
namespace {

class LibvirtContractWorld final : public ContractWorld {
public:
    LibvirtContractWorld() {
        if (m_image.whyNot().empty()) {
            m_backend = m_image.makeBackend();
        }
    }
    std::string whyNot() override { return m_image.whyNot(); }
    Backend& backend() override { return *m_backend; }
    std::unique_ptr<Backend> secondBackend() override { return m_image.makeBackend(); }
    MachineSpec spec(const HomeId& home) override { return m_image.spec(home); }
    HostProbe probe(const HomeId& home) override { return m_image.probe(home); }
    void powerOff(const MachineId&, int console) override { (void)!::write(console, "off\n", 4); }
    void echoOneLine(const MachineId&) override {} // the guest does it

private:
    LiveImage m_image;
    std::unique_ptr<Backend> m_backend;
};

} // namespace

std::unique_ptr<ContractWorld> makeContractWorld() {
    return std::make_unique<LibvirtContractWorld>();
}

} // namespace carrel::hypervisor
