// SPDX-License-Identifier: Apache-2.0
#include "app/viewer/document_viewer.h"

#include <algorithm>

namespace carrel::viewer {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kMaxReadings = 4096; // kept, whatever their texts' sizes

Reading failed(std::string why) {
    return {Reading::State::Failed, nullptr, false, std::move(why)};
}

} // namespace

std::string_view toString(Reading::State state) {
    switch (state) {
    case Reading::State::Unasked:
        return "unasked";
    case Reading::State::Waiting:
        return "waiting";
    case Reading::State::Ready:
        return "ready";
    case Reading::State::Failed:
        return "failed";
    }
    return "";
}

DocumentViewer::DocumentViewer(MachineSetup setup, ViewerPatience patience, std::function<void(std::string_view)> complain)
    : m_setup(std::move(setup))
    , m_patience(patience)
    , m_complain(std::move(complain)) {}

DocumentViewer::~DocumentViewer() {
    stop();
}

void DocumentViewer::clearFolders() const {
    std::error_code ignored;
    fs::remove_all(m_setup.folder, ignored);
}

Reading DocumentViewer::look(const std::string& agent, const Version& version) {
    const std::lock_guard lock(m_mutex);
    const auto known = m_kept.find(Key{agent, version.content, version.kind});
    if (known == m_kept.end()) {
        return {};
    }
    known->second.used = ++m_uses;
    return known->second.reading;
}

void DocumentViewer::ask(const std::string& agent, const Version& version, const OpenContent& open, When when) {
    const std::lock_guard lock(m_mutex);
    const Key key{agent, version.content, version.kind};
    const auto now = Clock::now();
    if (const auto known = m_kept.find(key); known != m_kept.end()) {
        const bool again = known->second.fault == Fault::Machine && now - known->second.at >= m_patience.again;
        if (!again) {
            if (const auto at = m_lanes.find(agent); when == When::Now && at != m_lanes.end() && at->second) {
                auto& jobs = at->second->jobs;
                if (const auto job = std::find_if(jobs.begin(), jobs.end(), [&](const Job& each) { return each.key == key; }); job != jobs.end()) {
                    std::rotate(jobs.begin(), job, job + 1);
                }
            }
            return;
        }
    }
    auto& lane = m_lanes[agent];
    if (!lane) {
        lane = std::make_unique<Lane>();
    }
    auto& kept = m_kept[key];
    kept = Kept{{Reading::State::Waiting, nullptr, false, {}}, Fault::None, now, ++m_uses};
    if (version.size > kMaxDocument) {
        kept.reading = failed("it is larger than " + std::to_string(kMaxDocument >> 20U) + " MiB");
        kept.fault = Fault::Document;
    } else if (m_stopped || lane->jobs.size() >= kMaxAsked) {
        kept.reading = failed(m_stopped ? "Carrel is ending" : "too many others wait to be read");
        kept.fault = Fault::Machine;
    } else {
        lane->jobs.insert(when == When::Now ? lane->jobs.begin() : lane->jobs.end(), {key, open});
        if (lane->over) {
            if (lane->thread.joinable()) {
                lane->thread.join(); // has let go of the lock for good
            }
            lane->over = false;
            lane->thread = std::thread([this, raw = lane.get()] { run(*raw); });
        }
    }
    makeRoom();
    m_changed.notify_all();
}

Reading DocumentViewer::await(const std::string& agent, const Version& version, Clock::time_point until, std::stop_token stop) {
    const Key key{agent, version.content, version.kind};
    std::unique_lock lock(m_mutex);
    const auto reading = [&]() -> Reading {
        const auto known = m_kept.find(key);
        return known == m_kept.end() ? Reading{} : known->second.reading;
    };
    (void)m_changed.wait_until(lock, std::move(stop), until, [&] { return reading().state != Reading::State::Waiting; });
    return reading();
}

void DocumentViewer::run(Lane& lane) {
    std::unique_lock lock(m_mutex);
    while (waitForWork(lane, lock)) {
        const Job job = std::move(lane.jobs.front());
        lane.jobs.pop_front();
        auto outcome = read(lane, job, lock);
        settle(job.key, std::move(outcome));
        const auto most = m_wanting > 0 ? m_patience.documentsInTurn : m_patience.documents;
        if (lane.machine && lane.machine->documents() >= most) {
            endMachine(lane, lock);
        }
    }
    endMachine(lane, lock);
    lane.over = true;
}

// False: there will be none soon, and the lane's thread ends.
bool DocumentViewer::waitForWork(Lane& lane, std::unique_lock<std::mutex>& lock) {
    const auto until = Clock::now() + m_patience.idle;
    (void)m_changed.wait_until(lock, lane.off.get_token(), until,
                               [&] { return !lane.jobs.empty() || !lane.machine || m_wanting > 0; });
    if (lane.off.stop_requested()) {
        return false;
    }
    return !lane.jobs.empty();
}

void DocumentViewer::endMachine(Lane& lane, std::unique_lock<std::mutex>& lock) {
    if (!lane.machine) {
        return;
    }
    lock.unlock();
    lane.machine.reset();
    lock.lock();
    --m_machines;
    m_changed.notify_all();
}

Status DocumentViewer::haveMachine(Lane& lane, std::unique_lock<std::mutex>& lock) {
    if (lane.machine) {
        return {};
    }
    ++m_wanting;
    m_changed.notify_all();
    (void)m_changed.wait(lock, lane.off.get_token(), [&] { return m_machines < m_patience.machines; });
    --m_wanting;
    if (lane.off.stop_requested()) {
        return fail(ErrorCode::Cancelled, "the viewer was stopped");
    }
    ++m_machines;
    lock.unlock();
    auto started = ViewerMachine::start(m_setup);
    lock.lock();
    if (!started) {
        --m_machines;
        m_changed.notify_all();
        return fail(std::move(started).error());
    }
    lane.machine = std::move(*started);
    return {};
}

// The lock is held before and after, and not while anything takes its time.
ViewerMachine::Text DocumentViewer::read(Lane& lane, const Job& job, std::unique_lock<std::mutex>& lock) {
    for (;;) {
        if (auto have = haveMachine(lane, lock); !have) {
            m_complain("the viewer: " + have.error().text());
            return {{Fault::Machine, "the viewer's machine did not start: " + have.error().text()}, {}};
        }
        const bool first = lane.machine->documents() == 0;
        lock.unlock();
        const auto document = job.open(job.key.content);
        if (!document) { // of the next review it may be there again
            lock.lock();
            return {{Fault::Machine, "its frozen copy cannot be read: " + document.error().text()}, {}};
        }
        const auto patience = m_patience.reading + m_patience.answer + (first ? m_patience.start : std::chrono::seconds(0));
        auto out = lane.machine->read(document->get(), job.key.kind, m_patience.reading, patience, lane.off.get_token());
        lock.lock();
        if (out.verdict.fault != Fault::Machine) {
            return out;
        }
        m_complain("the viewer: " + out.verdict.why);
        endMachine(lane, lock);
        // It may be an earlier document's doing; in a machine of its own it shows.
        if (first || lane.off.stop_requested()) {
            return out;
        }
    }
}

void DocumentViewer::settle(const Key& key, ViewerMachine::Text outcome) {
    const auto known = m_kept.find(key);
    if (known == m_kept.end()) {
        return; // forgotten meanwhile
    }
    auto& kept = known->second;
    kept.fault = outcome.verdict.fault;
    kept.at = Clock::now();
    kept.used = ++m_uses;
    if (kept.fault == Fault::None) {
        m_keptBytes += outcome.text.size();
        kept.reading = {Reading::State::Ready, std::make_shared<const std::string>(std::move(outcome.text)), outcome.verdict.cut, {}};
    } else {
        kept.reading = failed(std::move(outcome.verdict.why));
    }
    makeRoom();
    m_changed.notify_all();
}

// What was looked at longest ago goes first; what somebody waits for stays.
void DocumentViewer::makeRoom() {
    while (m_keptBytes > kMaxKept || m_kept.size() > kMaxReadings) {
        auto oldest = m_kept.end();
        for (auto at = m_kept.begin(); at != m_kept.end(); ++at) {
            const bool waits = at->second.reading.state == Reading::State::Waiting;
            if (!waits && at->second.used != m_uses && (oldest == m_kept.end() || at->second.used < oldest->second.used)) {
                oldest = at;
            }
        }
        if (oldest == m_kept.end()) {
            return;
        }
        m_keptBytes -= oldest->second.reading.text ? oldest->second.reading.text->size() : 0;
        m_kept.erase(oldest);
    }
}

void DocumentViewer::forget(const std::string& agent) {
    std::map<std::string, std::unique_ptr<Lane>> gone;
    {
        const std::lock_guard lock(m_mutex);
        if (auto lane = m_lanes.extract(agent)) {
            gone.insert(std::move(lane));
        }
        for (auto at = m_kept.begin(); at != m_kept.end();) {
            if (at->first.agent == agent) {
                m_keptBytes -= at->second.reading.text ? at->second.reading.text->size() : 0;
                at = m_kept.erase(at);
            } else {
                ++at;
            }
        }
        m_changed.notify_all();
    }
    endLanes(std::move(gone));
}

void DocumentViewer::stop() {
    std::map<std::string, std::unique_ptr<Lane>> all;
    {
        const std::lock_guard lock(m_mutex);
        m_stopped = true;
        all.swap(m_lanes);
        for (auto& [key, kept] : m_kept) {
            if (kept.reading.state == Reading::State::Waiting) {
                kept.reading = failed("Carrel is ending");
                kept.fault = Fault::Machine;
            }
        }
        m_changed.notify_all();
    }
    endLanes(std::move(all));
}

void DocumentViewer::endLanes(std::map<std::string, std::unique_ptr<Lane>> lanes) {
    for (auto& [agent, lane] : lanes) {
        lane->off.request_stop();
    }
    for (auto& [agent, lane] : lanes) {
        if (lane->thread.joinable()) {
            lane->thread.join();
        }
    }
}

} // namespace carrel::viewer
