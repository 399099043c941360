// SPDX-License-Identifier: Apache-2.0
#include "tests/app/desktop/private_bus.h"

#include <QFile>

#include <csignal>
#include <sys/prctl.h>

namespace carrel::desktop::test {

PrivateBus::PrivateBus() {
    start();
}

PrivateBus::~PrivateBus() {
    stop();
}

std::string PrivateBus::address() const {
    return "unix:path=" + m_folder.filePath("bus").toStdString();
}

void PrivateBus::start() {
    const auto config = m_folder.filePath("bus.conf");
    QFile file(config);
    if (!file.open(QIODevice::WriteOnly)) {
        return;
    }
    file.write(R"xml(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>)xml" +
               QByteArray::fromStdString(address()) + R"xml(</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>)xml");
    file.close();
    m_daemon = std::make_unique<QProcess>();
    // A test that crashes leaves none behind.
    m_daemon->setChildProcessModifier([] { (void)::prctl(PR_SET_PDEATHSIG, SIGKILL); });
    m_daemon->start("dbus-daemon", {"--config-file=" + config, "--nofork", "--print-address=1"});
    while (m_daemon->state() != QProcess::NotRunning && !m_daemon->canReadLine()) {
        (void)m_daemon->waitForReadyRead(1000);
    }
}

void PrivateBus::stop() {
    if (m_daemon) {
        m_daemon->kill(); // this one, by its pid
        (void)m_daemon->waitForFinished(-1);
        m_daemon.reset();
    }
    QFile::remove(m_folder.filePath("bus"));
}

} // namespace carrel::desktop::test
