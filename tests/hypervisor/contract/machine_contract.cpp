// SPDX-License-Identifier: Apache-2.0
#include "tests/hypervisor/contract/machine_contract.h"

#include <QTest>

#include <poll.h>
#include <sys/socket.h>

using namespace carrel;
using namespace carrel::hypervisor;
using namespace std::chrono_literals;

namespace {

void mustBe(Machine& machine, MachineState expected) {
    const auto state = machine.state();
    QVERIFY2(state, state ? "" : state.error().text().c_str());
    QCOMPARE(QByteArray(toString(*state).data()), QByteArray(toString(expected).data()));
}

#define MUST(expression)                                                                                     \
    do {                                                                                                     \
        const auto& must_ = (expression);                                                                    \
        QVERIFY2(must_, must_ ? "" : must_.error().text().c_str());                                          \
    } while (false)

template <class T> bool refused(const T& result) {
    return !result && result.error().code == ErrorCode::Refused;
}

} // namespace

class MachineContract : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        m_world = makeContractWorld();
        if (const std::string why = m_world->whyNot(); !why.empty()) {
            QSKIP(why.c_str());
        }
    }

    void cleanup() {
        if (m_machine) {
            (void)m_machine->stop();
            m_machine.reset();
        }
    }

    void createdMachineRefusesEverythingButStart() {
        create();
        mustBe(*m_machine, MachineState::Created);
        QVERIFY(refused(m_machine->resume()));
        QVERIFY(refused(m_machine->pause()));
        QVERIFY(refused(m_machine->stop()));
        QVERIFY(refused(m_machine->openChannel(ChannelId::Console)));
        QVERIFY(refused(m_machine->activity()));
        QVERIFY(refused(m_machine->exitReport()));
    }

    void badSpecIsRefusedBeforeAnythingHappens() {
        MachineSpec spec = m_world->spec(m_home);
        spec.cpus = 0;
        const auto machine = m_world->backend().create(spec);
        QVERIFY(!machine);
        QVERIFY(machine.error().code == ErrorCode::InvalidArgument);
    }

    void wholeLife() {
        create();
        MUST(m_machine->start());
        mustBe(*m_machine, MachineState::Paused);
        QVERIFY(refused(m_machine->start()));
        std::map<ChannelId, UniqueFd> channels;
        for (const ChannelId channel : kChannels) {
            auto fd = m_machine->openChannel(channel);
            MUST(fd);
            channels[channel] = std::move(*fd);
        }
        // Started paused: the first byte of the guest comes after resume, and none is lost.
        pollfd ready{.fd = channels[ChannelId::Console].get(), .events = POLLIN, .revents = 0};
        QCOMPARE(::poll(&ready, 1, 0), 0);
        MUST(m_machine->resume());
        MUST(m_machine->resume());
        mustBe(*m_machine, MachineState::Running);
        std::string console;
        QVERIFY2(readUntil(channels[ChannelId::Console].get(), kProbeAnswer, &console), console.c_str());
        QVERIFY2(console.find("Linux version") != std::string::npos, console.c_str());
        QVERIFY(refused(m_machine->exitReport()));

        m_world->echoOneLine(m_machine->id());
        const std::string line = "are you there\n";
        QCOMPARE(::send(channels[ChannelId::Control].get(), line.data(), line.size(), MSG_NOSIGNAL),
                 static_cast<ssize_t>(line.size()));
        QVERIFY(readUntil(channels[ChannelId::Control].get(), line));

        MUST(m_machine->pause());
        MUST(m_machine->pause());
        mustBe(*m_machine, MachineState::Paused);
        MUST(m_machine->resume());
        const auto before = m_machine->activity();
        MUST(before);
        MUST(m_machine->activity());

        MUST(m_machine->stop());
        mustBe(*m_machine, MachineState::Stopped);
        MUST(m_machine->stop());
        QVERIFY(refused(m_machine->resume()));
        QVERIFY(refused(m_machine->openChannel(ChannelId::Control)));
        const auto report = m_machine->exitReport();
        MUST(report);
        QCOMPARE(QByteArray(toString(report->reason).data()), QByteArray("destroyed"));
        // The other end is gone: end of stream on every channel.
        for (const auto& [channel, fd] : channels) {
            std::string rest;
            QVERIFY(!readUntil(fd.get(), "no guest says this", &rest));
        }
    }

    void guestThatPowersOffIsReportedAsThat() {
        create();
        MUST(m_machine->start());
        auto console = m_machine->openChannel(ChannelId::Console);
        MUST(console);
        MUST(m_machine->resume());
        QVERIFY(readUntil(console->get(), kProbeAnswer));
        const auto early = m_machine->waitStopped(0ms);
        MUST(early);
        QVERIFY(!*early);
        m_world->powerOff(m_machine->id(), console->get());
        const auto stopped = m_machine->waitStopped(60s);
        MUST(stopped);
        QVERIFY(*stopped);
        const auto report = m_machine->exitReport();
        MUST(report);
        QCOMPARE(QByteArray(toString(report->reason).data()), QByteArray("guest-shutdown"));
    }

    void anotherProcessAdoptsItsOwnHomeOnly() {
        create();
        MUST(m_machine->start());
        auto second = m_world->secondBackend();
        const auto foreign = second->adopt(randomHome());
        MUST(foreign);
        QVERIFY(foreign->empty());
        auto own = second->adopt(m_home);
        MUST(own);
        QCOMPARE(own->size(), std::size_t{1});
        Machine& adopted = *own->front();
        QVERIFY(adopted.id() == m_machine->id());
        mustBe(adopted, MachineState::Paused);
        auto console = adopted.openChannel(ChannelId::Console);
        MUST(console);
        MUST(adopted.resume());
        QVERIFY(readUntil(console->get(), kProbeAnswer));
        MachineSpec again = *m_spec;
        const auto twice = second->create(again);
        QVERIFY(!twice);
        QVERIFY(twice.error().code == ErrorCode::AlreadyExists);
        MUST(adopted.stop());
        mustBe(*m_machine, MachineState::Stopped);
        const auto left = second->adopt(m_home);
        MUST(left);
        QVERIFY(left->empty());
    }

    void machineOutlivesItsObject() {
        create();
        MUST(m_machine->start());
        m_machine.reset();
        auto own = m_world->backend().adopt(m_home);
        MUST(own);
        QCOMPARE(own->size(), std::size_t{1});
        MUST(own->front()->stop());
    }

    void hostCheckFindsAnAccelerator() {
        std::vector<std::string> lines;
        const auto report = m_world->backend().checkHost(
            m_world->probe(m_home), [&](std::string_view line) { lines.emplace_back(line); }, {});
        for (const std::string& line : lines) {
            qInfo("%s", line.c_str());
        }
        MUST(report);
        QVERIFY2(report->accelerator, report->reason.c_str());
        QVERIFY(!report->reason.empty());
        QVERIFY(!lines.empty());
        const auto left = m_world->backend().adopt(m_home);
        MUST(left);
        QVERIFY(left->empty());
    }

    void cancelledHostCheckSaysSo() {
        std::stop_source source;
        source.request_stop();
        const auto report = m_world->backend().checkHost(m_world->probe(m_home), {}, source.get_token());
        QVERIFY(!report);
        QVERIFY(report.error().code == ErrorCode::Cancelled);
    }

private:
    void create() {
        m_spec = m_world->spec(m_home);
        auto machine = m_world->backend().create(*m_spec);
        MUST(machine);
        m_machine = std::move(*machine);
    }

    std::unique_ptr<ContractWorld> m_world;
    HomeId m_home = randomHome();
    std::optional<MachineSpec> m_spec;
    std::unique_ptr<Machine> m_machine;
};

QTEST_GUILESS_MAIN(MachineContract)
#include "machine_contract.moc"
