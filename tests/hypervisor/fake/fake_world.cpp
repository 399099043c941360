// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/fake/fake_backend.h"
#include "tests/hypervisor/contract/machine_contract.h"

#include <QTemporaryDir>

#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace carrel::hypervisor {
namespace {

class FakeContractWorld final : public ContractWorld {
public:
    Backend& backend() override { return *m_backend; }
    std::unique_ptr<Backend> secondBackend() override { return makeFakeBackend(m_world); }

    MachineSpec spec(const HomeId& home) override {
        const AgentId agent = AgentId::random().value();
        return MachineSpec{.id = MachineId{home, agent},
                           .kernel = "/kernel",
                           .initrd = "/initrd",
                           .runtimeFolder = m_folder.path().toStdString() + "/" + agent.text().substr(0, 8)};
    }
    HostProbe probe(const HomeId& home) override {
        return HostProbe{.kernel = "/kernel", .initrd = "/initrd", .home = home};
    }
    void powerOff(const MachineId& id, int) override { (void)m_world->end(id, ExitReason::GuestShutdown); }
    void echoOneLine(const MachineId& id) override {
        m_echo = std::jthread([end = m_world->takeGuestEnd(id, ChannelId::Control).value()] {
            char buffer[256];
            const ssize_t got = ::read(end.get(), buffer, sizeof buffer);
            if (got > 0) {
                (void)::send(end.get(), buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
            }
        });
    }

private:
    QTemporaryDir m_folder;
    std::shared_ptr<FakeWorld> m_world = std::make_shared<FakeWorld>();
    std::unique_ptr<Backend> m_backend = makeFakeBackend(m_world);
    std::jthread m_echo;
};

} // namespace

std::unique_ptr<ContractWorld> makeContractWorld() {
    return std::make_unique<FakeContractWorld>();
}

} // namespace carrel::hypervisor
