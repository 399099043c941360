// SPDX-License-Identifier: Apache-2.0
// The libvirt back end's logic without libvirt: definitions, ownership, the end of a machine, the host check.
#include "hypervisor/fake/fake_backend.h"
#include "hypervisor/libvirt/backend.h"
#include "hypervisor/libvirt/domain_operations.h"
#include "hypervisor/libvirt/host_check.h"
#include "hypervisor/libvirt/domain_xml.h"
#include "hypervisor/libvirt/libvirt_machine.h"
#include "hypervisor/libvirt/overlay.h"
#include "hypervisor/libvirt/wrapper/qemu_policy.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QStandardPaths>
#include <QStringList>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>

#include <fstream>
#include <map>

using namespace carrel;
using namespace carrel::hypervisor;
using namespace std::chrono_literals;

namespace {

class MockVirt final : public VirtApi {
public:
    std::vector<DomainRecord> active;
    std::map<std::string, std::string> notes;
    std::string log;
    int destroyed = 0;
    DomainState is = DomainState::Running;
    Status suspends; // what suspend() answers

    Result<VirtVersions> versions() override { return VirtVersions{7002000, 9000000}; }
    Result<std::vector<DomainRecord>> listActive() override { return active; }
    Status createPaused(const std::string&) override { return fail(ErrorCode::Io, "exit status 125"); }
    Result<DomainState> state(const std::string&) override { return is; }
    Status resume(const std::string&) override { return {}; }
    Status suspend(const std::string&) override { return suspends; }
    Status destroy(const std::string&) override {
        ++destroyed;
        return {};
    }
    Result<std::chrono::nanoseconds> cpuTime(const std::string&) override { return 1ns; }
    Result<std::string> metadata(const std::string& uuid, const std::string&) override {
        if (!notes.contains(uuid)) {
            return fail(ErrorCode::NotFound, "no domain");
        }
        return notes.at(uuid);
    }
    std::string logTail(const std::string&, std::size_t) override { return log; }
};

const HomeId kHome = HomeId::parse("00112233445566778899aabbccddeeff").value();
const HomeId kOtherHome = HomeId::parse("0011223344556677ffffffffffffffff").value(); // the same first digits
const AgentId kAgent = AgentId::parse("aaaabbbbccccddddeeeeffff00001111").value();

std::string note(const HomeId& home) {
    return "<machine home=\"" + home.text() + "\" agent='" + kAgent.text() + "' runtime='/run/it&apos;s'/>";
}

MachineSpec spec(const QTemporaryDir& folder) {
    return MachineSpec{.id = MachineId{kHome, kAgent},
                       .kernel = "/images/vmlinux",
                       .initrd = "/images/initrd",
                       .commandLine = "a='<b>' & \"c\"",
                       .disk = DiskSpec{.base = "/images/base.raw", .overlay = "/home/o'brien/<x>.qcow2"},
                       .runtimeFolder = folder.path().toStdString() + "/m"};
}

HostFacts goodFacts(KvmAccess kvm) {
    HostFacts facts;
    facts.kvm = kvm;
    facts.versions = VirtVersions{7002000, 9000000};
    facts.emulatorPresent = facts.confinement = true;
    facts.freeDiskBytes = facts.freeMemoryBytes = std::uint64_t{1} << 40;
    return facts;
}

bool has(const HostReport& report, FindingCode code) {
    return std::ranges::any_of(report.findings, [&](const Finding& finding) { return finding.code == code; });
}

} // namespace

class TestLibvirtLogic : public QObject {
    Q_OBJECT

private slots:
    void invariantI3NoNetworkDeviceInTheDefinition() {
        const std::string xml = buildDomainXml(spec(m_folder), "/bin/carrel-qemu");
        QXmlStreamReader reader(QString::fromStdString(xml));
        QStringList elements;
        QString commandLine;
        QStringList files;
        while (!reader.atEnd()) {
            if (reader.readNext() == QXmlStreamReader::StartElement) {
                elements << reader.name().toString();
                files << reader.attributes().value("file").toString();
                if (reader.name().toString() == "cmdline") {
                    commandLine = reader.readElementText();
                }
            }
        }
        QVERIFY2(!reader.hasError(), xml.c_str());
        for (const char* forbidden :
             {"interface", "hostdev", "redirdev", "graphics", "video", "filesystem", "tpm"}) {
            QVERIFY2(!elements.contains(forbidden), forbidden);
        }
        QVERIFY(commandLine.startsWith("a='<b>' & \"c\" "));
        QVERIFY(files.contains("/home/o'brien/<x>.qcow2"));
        QCOMPARE(elements.count("backingStore"), 2);
    }

    // The emulator before 8.2 lets no two of them be there while devices come and go.
    void oneProcessorSetsAnEmulatedMachineUp() {
        MachineSpec several = spec(m_folder);
        several.cpus = 2;
        several.accelerator = Accelerator::Software;
        QVERIFY(fullCommandLine(several).ends_with(" maxcpus=1"));
        several.accelerator = Accelerator::Hardware;
        QVERIFY(fullCommandLine(several).find("maxcpus") == std::string::npos);
    }

    // A viewer's: nothing that it may write, and nothing that its disk could keep.
    void aDiskWithoutALayerIsReadOnly() {
        MachineSpec alone = spec(m_folder);
        alone.disk->overlay.clear();
        QVERIFY(validate(alone).has_value());
        const std::string xml = buildDomainXml(alone, "/bin/carrel-qemu");
        QXmlStreamReader reader(QString::fromStdString(xml));
        QStringList elements, files;
        QString policy;
        while (!reader.atEnd()) {
            if (reader.readNext() == QXmlStreamReader::StartElement) {
                elements << reader.name().toString();
                files << reader.attributes().value("file").toString();
                if (reader.qualifiedName().toString() == "qemu:env") {
                    policy = reader.attributes().value("value").toString();
                }
            }
        }
        QVERIFY2(!reader.hasError(), xml.c_str());
        QCOMPARE(elements.count("disk"), 1);
        QCOMPARE(elements.count("readonly"), 1);
        QCOMPARE(elements.count("backingStore"), 0);
        QVERIFY(files.contains("/images/base.raw"));
        const auto allowed = readQemuPolicy(policy.toStdString());
        QVERIFY(allowed && allowed->readWrite.empty());
    }

    void theWindowIsInTheMachinesOwnFolder() {
        MachineSpec with = spec(m_folder);
        QVERIFY(buildDomainXml(with, "/bin/carrel-qemu").find("ivshmem") == std::string::npos);
        with.window.emplace();
        const std::string xml = buildDomainXml(with, "/bin/carrel-qemu");
        QXmlStreamReader reader(QString::fromStdString(xml));
        QStringList arguments;
        QString policy;
        while (!reader.atEnd()) {
            if (reader.readNext() == QXmlStreamReader::StartElement) {
                if (reader.qualifiedName().toString() == "qemu:arg") {
                    arguments << reader.attributes().value("value").toString();
                } else if (reader.qualifiedName().toString() == "qemu:env") {
                    policy = reader.attributes().value("value").toString();
                }
            }
        }
        QCOMPARE(arguments.size(), 4);
        const auto memory = QJsonDocument::fromJson(arguments.at(1).toUtf8()).object();
        QCOMPARE(memory.value("mem-path").toString(), m_folder.path() + "/m/window");
        QCOMPARE(memory.value("size").toInt(), 16 << 20);
        QVERIFY(arguments.at(3).contains("ivshmem-plain"));
        const auto allowed = readQemuPolicy(policy.toStdString());
        QVERIFY(allowed &&
                std::ranges::count(allowed->readWrite, with.runtimeFolder.native() + "/window") == 1);
        with.window->size.value = 7;
        QVERIFY(!validate(with));
        with.window->size.value = kMaxWindowMib * 2;
        QVERIFY(!validate(with));
    }

    // What makes the emulator copy byte by byte is switched off; a real processor keeps it.
    void theEmulatorIsNotMadeToCopyByteByByte() {
        MachineSpec machine = spec(m_folder);
        machine.accelerator = Accelerator::Software;
        QVERIFY(buildDomainXml(machine, "/bin/carrel-qemu").find("'erms'") != std::string::npos);
        machine.accelerator = Accelerator::Hardware;
        QVERIFY(buildDomainXml(machine, "/bin/carrel-qemu").find("erms") == std::string::npos);
    }

    void specsOutOfBoundsAreRefused() {
        MachineSpec bad = spec(m_folder);
        bad.runtimeFolder = "/" + std::string(100, 'x');
        const auto status = validate(bad);
        QVERIFY(!status);
        QVERIFY(status.error().message.find("107") != std::string::npos);
        bad = spec(m_folder);
        bad.commandLine = "a\nb";
        QVERIFY(!validate(bad));
        bad = spec(m_folder);
        bad.kernel = "relative";
        QVERIFY(!validate(bad));
        QVERIFY(!HomeId::parse("0011"));
        QVERIFY(!HomeId::parse("ZZ112233445566778899aabbccddeeff"));
    }

    void onlyOwnDomainsAreSeen() {
        MockVirt api;
        const MachineId id{kHome, kAgent};
        api.active = {
            {id.name(), id.uuid()}, {"somebody-else", "x"}, {"carrel-00112233-bbbbbbbb", "no-note"}};
        api.notes[id.uuid()] = note(kHome);
        const auto own = listOwn(api, kHome);
        QVERIFY(own);
        QCOMPARE(own->size(), std::size_t{1});
        QCOMPARE(own->front().runtimeFolder.string(), std::string("/run/it's"));
        // Same name and UUID, another home's note: neither listed nor ever stopped.
        api.notes[id.uuid()] = note(kOtherHome);
        QVERIFY(listOwn(api, kHome)->empty());
        const auto check = checkOwn(api, id);
        QVERIFY(!check);
        QVERIFY(check.error().code == ErrorCode::Refused);
    }

    void theEndIsReadFromTheLog() {
        const std::string log =
            "2026-01-01: starting up libvirt version: 9\nLC_ALL=C \\\n/bin/carrel-qemu \\\n-msg x\n"
            "old words\n2026-01-01: shutting down, reason=crashed\n"
            "2026-01-02: starting up libvirt version: 9\nLC_ALL=C \\\n-msg timestamp=on\n"
            "qemu: no \x1b[31mmemory\n2026-01-02 10:00: shutting down, reason=shutdown\n";
        const ExitReport report = parseExitLog(log);
        QVERIFY(report.reason == ExitReason::GuestShutdown);
        QCOMPARE(report.lastLines, std::string("qemu: no ?[31mmemory\n"));
        QVERIFY(parseExitLog("").reason == ExitReason::Unknown);
    }

    void failedStartTellsWhatTheProcessSaid() {
        auto api = std::make_shared<MockVirt>();
        api->log = "x: starting up libvirt version: 9\n-a \\\n-b\ncarrel-qemu: cannot confine\n";
        const auto backend = makeLibvirtBackend({.emulator = "/bin/carrel-qemu"}, api).value();
        MachineSpec bare = spec(m_folder);
        bare.disk.reset();
        auto machine = backend->create(bare);
        QVERIFY(machine);
        const auto started = (*machine)->start();
        QVERIFY(!started);
        QVERIFY2(started.error().text().find("cannot confine") != std::string::npos,
                 started.error().text().c_str());
        QVERIFY((*machine)->state() == MachineState::Stopped);
    }

    // One that has put itself to sleep wakes when it likes: nobody is told that it stands still.
    void oneAsleepIsNotPaused() {
        auto api = std::make_shared<MockVirt>();
        const MachineId id{kHome, kAgent};
        api->notes[id.uuid()] = note(kHome);
        api->is = DomainState::Asleep;
        QVERIFY(liveState(*api, id) == MachineState::Running);
        LibvirtMachine machine(api, id, m_folder.path().toStdString());
        api->suspends = fail(ErrorCode::Refused, "domain is pmsuspended");
        const auto paused = machine.pause();
        QVERIFY(!paused && paused.error().text().find("was ended") != std::string::npos);
        QCOMPARE(api->destroyed, 1);
        QVERIFY(machine.state() == MachineState::Stopped);
        // Any other refusal ends nothing.
        LibvirtMachine other(api, id, m_folder.path().toStdString());
        api->is = DomainState::Running;
        QVERIFY(!other.pause());
        QCOMPARE(api->destroyed, 1);
    }

    void overlayIsWholeAndNeverOverwritten() {
        const std::string base = m_folder.path().toStdString() + "/base.raw";
        std::ofstream(base) << std::string(1 << 20, 'b');
        const DiskSpec disk{.base = base, .overlay = m_folder.path().toStdString() + "/o.qcow2"};
        QVERIFY(ensureOverlay(disk));
        if (!QStandardPaths::findExecutable("qemu-img").isEmpty()) {
            QCOMPARE(QProcess::execute("qemu-img", {"check", "-q", QString::fromStdString(disk.overlay)}), 0);
            QCOMPARE(QProcess::execute("qemu-img", {"compare", "-q", QString::fromStdString(disk.overlay),
                                                    QString::fromStdString(base)}),
                     0);
        }
        std::ofstream(disk.overlay, std::ios::app) << "kept";
        const auto size = std::filesystem::file_size(disk.overlay);
        QVERIFY(ensureOverlay(disk));
        QCOMPARE(std::filesystem::file_size(disk.overlay), size);
        DiskSpec small = disk;
        small.virtualBytes = 512;
        QVERIFY(!ensureOverlay(small));
    }

    // /dev/kvm opens and never prints a byte: recognised by itself, software chosen, the reason named.
    void silentHardwareFallsBackToSoftware() {
        auto world = std::make_shared<FakeWorld>();
        world->setGuest(Accelerator::Hardware, FakeGuest::Silent);
        const auto backend = makeFakeBackend(world);
        const HostProbe probe = kit();
        const auto report = checkHost(*backend, goodFacts(KvmAccess::Usable), probe, {}, {});
        QVERIFY(report);
        QVERIFY(report->accelerator == Accelerator::Software);
        QVERIFY(has(*report, FindingCode::KvmDoesNotRun));
        QVERIFY(has(*report, FindingCode::SoftwareEmulation));
        QVERIFY2(report->reason.find("hardware virtualization does not work") != std::string::npos,
                 report->reason.c_str());
        QVERIFY(!report->fromCache);
        world->setGuest(Accelerator::Hardware, FakeGuest::AnswersProbe); // the cache is asked first
        const auto again = checkHost(*backend, goodFacts(KvmAccess::Usable), probe, {}, {});
        QVERIFY(again->fromCache);
        QVERIFY(again->accelerator == Accelerator::Software);
        HostFacts newKernel = goodFacts(KvmAccess::Usable);
        newKernel.kernelRelease = "another";
        QVERIFY(checkHost(*backend, newKernel, probe, {}, {})->accelerator == Accelerator::Hardware);
    }

    void findingsNameTheirCause() {
        const auto mayNot = conclude(goodFacts(KvmAccess::NoPermission), AcceleratorChoice::Automatic,
                                     {{.accelerator = Accelerator::Software, .answered = true}});
        QVERIFY(has(mayNot, FindingCode::KvmNoPermission));
        QCOMPARE(mayNot.findings.front().command, std::string("sudo usermod -aG kvm \"$USER\"")); // as it is typed
        HostFacts bad = goodFacts(KvmAccess::Missing);
        bad.virtProblem = Error{ErrorCode::Unavailable, "no socket", {}, 0, nullptr};
        bad.freeDiskBytes = 1;
        const HostReport report = conclude(bad, AcceleratorChoice::Automatic, {});
        QVERIFY(!report.accelerator);
        QVERIFY(has(report, FindingCode::LibvirtMissing));
        QVERIFY(has(report, FindingCode::LowDisk));
    }

private:
    HostProbe kit() {
        const std::string folder = m_folder.path().toStdString();
        std::ofstream(folder + "/kernel") << "k";
        return HostProbe{.kernel = folder + "/kernel",
                         .initrd = folder + "/kernel",
                         .scratchFolder = folder + "/probe",
                         .dataFolder = folder,
                         .cacheFile = folder + "/cache.json",
                         .home = kHome};
    }
    QTemporaryDir m_folder;
};

QTEST_GUILESS_MAIN(TestLibvirtLogic)
#include "test_libvirt_logic.moc"
