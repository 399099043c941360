// The page: a recording's player and the timeline beside it. All that is shown is put into the page as text.

const byId = (id) => document.getElementById(id);
const dataOf = (element) => JSON.parse(element.textContent);
const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
};
const twoDigits = (n) => String(n).padStart(2, '0');
function clock(us) {
    const seconds = Math.floor(us / 1e6), hours = Math.floor(seconds / 3600);
    return (hours > 0 ? `${hours}:${twoDigits(Math.floor(seconds / 60) % 60)}` : String(Math.floor(seconds / 60))) + `:${twoDigits(seconds % 60)}`;
}
const dayOf = (ms) => new Date(ms).toLocaleDateString([], {weekday: 'long', year: 'numeric', month: 'long', day: 'numeric'});
const timeOf = (ms) => { const at = new Date(ms); return `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}:${twoDigits(at.getSeconds())}`; };

const kKinds = {
    'vm.state': ['Machine', 'Machine'], 'vm.stage': ['Machine', 'Step of the start'], 'clerk.state': ['Machine', 'Clerk at the door'],
    'agent.created': ['Machine', 'Agent made'], 'agent.deleted': ['Machine', 'Agent deleted'], 'rights.tried': ['Machine', 'Right reached for'],
    'watch.silent': ['Machine', 'Machine silent about its programs'],
    'share.added': ['Files', 'Folder shared'], 'share.changed': ['Files', 'Folder shared in another way'], 'share.removed': ['Files', 'Folder taken away'],
    'file.read': ['Files', 'File read'], 'file.written': ['Files', 'File opened for writing'], 'file.created': ['Files', 'File or folder made'],
    'file.deleted': ['Files', 'File or folder deleted'], 'file.renamed': ['Files', 'File or folder renamed'], 'file.mode': ['Files', 'Permissions changed'],
    'exec.started': ['Commands', 'Command begun'], 'exec.ended': ['Commands', 'Command ended'], 'task.added': ['Commands', 'Task given'],
    'task.begun': ['Commands', 'Task begun'], 'task.ended': ['Commands', 'Task ended'], 'task.answered': ['Commands', 'Agent\u2019s question answered'],
    'task.cancelled': ['Commands', 'Task stopped'], 'agent.tool': ['Commands', 'Agent used a tool'], 'program.started': ['Commands', 'Program started'],
    'program.ended': ['Commands', 'Program ended'], 'programs.mode': ['Commands', 'Which programs run'],
    'programs.installed': ['Commands', 'Installed by apt in this agent'], 'recording.started': ['Commands', 'Recording begun'],
    'recording.chunk': ['Commands', 'Recording kept'], 'recording.ended': ['Commands', 'Recording ended'],
    'review.frozen': ['Changes', 'Changes frozen for review'], 'apply.decided': ['Changes', 'Decision to apply'], 'apply.done': ['Changes', 'Changes applied'],
    'undo.decided': ['Changes', 'Decision to undo'], 'undo.done': ['Changes', 'Changes taken back'], 'discard.decided': ['Changes', 'Decision to discard'],
    'discard.done': ['Changes', 'Changes discarded'],
    'client.allowed': ['Approvals', 'Program let in'], 'client.ended': ['Approvals', 'Program shut out'], 'approval.asked': ['Approvals', 'Request'],
    'approval.changed': ['Approvals', 'Request changed'], 'approval.repeated': ['Approvals', 'Request repeated'], 'approval.shown': ['Approvals', 'Request shown'],
    'approval.decided': ['Approvals', 'Request answered'], 'approval.ended': ['Approvals', 'Request over'], 'approval.reopened': ['Approvals', 'Request opened again'],
    'approval.effect': ['Approvals', 'What was allowed'], 'approval.turned_away': ['Approvals', 'Request turned away'], 'rule.kept': ['Approvals', 'Rule kept with an answer'],
    'rule.answered': ['Approvals', 'Answered by a rule'], 'rule.added': ['Approvals', 'Rule added'], 'rule.removed': ['Approvals', 'Rule removed'],
    'rule.replaced': ['Approvals', 'Rules replaced'],
    'net.mode': ['Network', 'Way to the network'], 'net.traffic': ['Network', 'Connections'], 'net.cut': ['Network', 'Connection cut by the owner'],
    'net.limit': ['Network', 'Limits of the network'], 'net.spent': ['Network', 'Day\u2019s limit used up'], 'net.tried': ['Network', 'Connection wanted'],
    'credential.added': ['Network', 'Credential kept'], 'credential.removed': ['Network', 'Credential removed'], 'credential.used': ['Network', 'Credential used'],
    'credential.refused': ['Network', 'Credential refused'], 'forward.opened': ['Network', 'Shown in a browser'], 'forward.traffic': ['Network', 'Looked at in a browser'],
    'forward.closed': ['Network', 'No longer in a browser'], 'canary.added': ['Network', 'Canary kept'], 'canary.planted': ['Network', 'Canary planted'],
    'canary.removed': ['Network', 'Canary removed'], 'canary.left': ['Network', 'Canary on its way out'], 'provider.chosen': ['Network', 'Whose model it uses'],
    'budget.set': ['Network', 'Budget'],
    'guest.log': ['Notes', 'Log of the machine'], 'engine.note': ['Notes', 'Note'], 'watch.lost': ['Notes', 'Left out of this record'],
    'log.cut': ['Notes', 'Oldest of the log left out'], 'log.kept': ['Notes', 'How long the log is kept'],
};
const wordsOf = (kind) => (Object.hasOwn(kKinds, kind) ? kKinds[kind] : ['Notes', kind]);

// A recording, piece by piece: each begins with the whole screen, so that a moment is found by one look-up.
class Player {
    constructor(recordings, widths, moved) {
        this.recordings = recordings;
        this.terminal = new Terminal(widths);
        this.view = new TerminalView(byId('screen'));
        this.moved = moved;
        this.playing = false;
        this.choose(0);
    }
    choose(which) {
        this.pause();
        this.recording = this.recordings[which];
        const pieces = this.recording.pieces;
        this.length = pieces[pieces.length - 1].to;
        this.seek(pieces[0].from); // something to see
        this.touched = false;
    }
    load(index) {
        this.index = index;
        this.piece = dataOf(byId(`r${this.recording.id}p${this.recording.pieces[index].number}`));
        this.next = 0;
    }
    redraw() {
        this.terminal.reset(this.piece.columns, this.piece.rows);
        this.terminal.write(this.piece.screen);
    }
    nextAt() { // of the next event; Infinity: there is none
        while (this.next >= this.piece.events.length) {
            if (this.index + 1 >= this.recording.pieces.length) return Infinity;
            this.load(this.index + 1);
            if (!this.recording.pieces[this.index].follows) this.redraw();
        }
        return this.piece.events[this.next][0];
    }
    seek(us) {
        this.us = Math.max(0, Math.min(us, this.length));
        this.touched = true;
        let low = 0, high = this.recording.pieces.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.recording.pieces[middle].from <= this.us) low = middle;
            else high = middle - 1;
        }
        this.load(low);
        this.redraw();
        this.advance(this.us);
    }
    advance(us) {
        this.us = Math.min(us, this.length);
        for (let next = this.nextAt(); next <= this.us; next = this.nextAt()) {
            const [, code, text] = this.piece.events[this.next++];
            if (code === 'o') {
                this.terminal.write(text);
            } else if (code === 'r') {
                const [columns, rows] = text.split('x').map(Number);
                this.terminal.resize(columns, rows);
            }
        }
        this.view.draw(this.terminal);
        this.moved();
    }
    play() {
        if (this.playing) return;
        if (this.us >= this.length) this.seek(0);
        this.touched = this.playing = true;
        this.before = performance.now();
        this.frame();
        this.moved();
    }
    pause() {
        this.playing = false;
        cancelAnimationFrame(this.request);
    }
    frame() {
        this.request = requestAnimationFrame((now) => {
            if (!this.playing) return;
            let to = this.us + Math.max(0, now - this.before) * 1000 * Number(byId('speed').value);
            this.before = now;
            const next = Math.min(this.nextAt(), this.length);
            if (byId('skip').checked && next - to > 1.5e6) to = next - 0.4e6;
            if (to >= this.length) this.playing = false;
            this.advance(to);
            if (this.playing) this.frame();
        });
    }
}

function startPlayer(recordings, widths, timeline) {
    if (recordings.length === 0) {
        byId('choice').hidden = true;
        byId('none').hidden = false;
        return null;
    }
    byId('player').hidden = false;
    const select = byId('recording'), slider = byId('slider');
    recordings.forEach((each, index) => {
        const option = make('option', '', `${each.id}. ${each.title || each.kind} (${clock(each.pieces[each.pieces.length - 1].to)})`);
        option.value = String(index);
        select.append(option);
    });
    let columns = 0;
    const fit = (terminal) => {
        columns = terminal.columns;
        const room = byId('stage').clientWidth - 26;
        byId('screen').style.setProperty('--size', `${Math.max(7, Math.min(16, Math.floor(room / columns / 0.602 * 10) / 10))}px`);
    };
    const moved = () => {
        if (!player) return;
        if (player.terminal.columns !== columns) fit(player.terminal);
        slider.max = String(Math.max(1, Math.round(player.length / 1000)));
        slider.value = String(Math.round(player.us / 1000));
        slider.setAttribute('aria-valuetext', clock(player.us));
        byId('time').textContent = `${clock(player.us)} / ${clock(player.length)}`;
        byId('icon').setAttribute('d', player.playing ? 'M6 4h4v16H6zM14 4h4v16h-4z' : 'M7 4v16l13-8z');
        byId('play').setAttribute('aria-label', player.playing ? 'Pause' : 'Play');
        byId('begin').hidden = player.touched || player.playing;
        const ended = player.us >= player.length && !player.playing;
        byId('status').textContent = ended ? 'Played to the end.' : '';
        byId('stage').setAttribute('aria-description', player.playing ? '' : player.terminal.text());
        timeline.showMoment(player.recording.startedMs + player.us / 1000, player.playing);
    };
    let player = null;
    player = new Player(recordings, widths, moved);
    const about = () => {
        const {title, kind, startedMs} = player.recording;
        byId('about-recording').textContent = `${title || kind}. Begun ${dayOf(startedMs)}, ${timeOf(startedMs)}.`;
    };
    const choose = (index) => {
        select.value = String(index);
        player.choose(index);
        about();
        moved();
    };
    const toggle = () => {
        if (player.playing) player.pause();
        else player.play();
        moved();
    };
    select.addEventListener('change', () => choose(Number(select.value)));
    byId('play').addEventListener('click', toggle);
    byId('begin').addEventListener('click', toggle);
    slider.addEventListener('input', () => player.seek(Number(slider.value) * 1000));
    window.addEventListener('resize', () => fit(player.terminal));
    document.addEventListener('keydown', (event) => {
        const target = event.target;
        if (event.ctrlKey || event.altKey || event.metaKey || (target !== document.body && target.id !== 'stage')) return;
        const steps = {ArrowLeft: -5e6, ArrowRight: 5e6, Home: -Infinity, End: Infinity};
        if (event.key === ' ') toggle();
        else if (Object.hasOwn(steps, event.key)) player.seek(player.us + steps[event.key]);
        else if (event.key === '<' || event.key === '>') {
            const speed = byId('speed');
            speed.selectedIndex = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + (event.key === '<' ? -1 : 1)));
        } else return;
        event.preventDefault();
    });
    choose(0);
    timeline.player = {
        holds: (ms) => recordings.findIndex((each) => ms >= each.startedMs && ms <= each.startedMs + each.pieces[each.pieces.length - 1].to / 1000 + 1000),
        go: (index, ms) => {
            if (recordings[index] !== player.recording) choose(index);
            player.seek((ms - player.recording.startedMs) * 1000);
            byId('stage').focus();
        },
    };
    return player;
}

class Timeline {
    constructor(events) {
        this.events = events;
        this.player = null;
        this.list = byId('events');
        this.now = -1;
        const groups = ['Commands', 'Files', 'Changes', 'Approvals', 'Network', 'Machine', 'Notes'];
        byId('group').append(...['', ...groups].map((name) => {
            const option = make('option', '', name || 'All kinds');
            option.value = name;
            return option;
        }));
        for (const id of ['words', 'group', 'witness']) byId(id).addEventListener('input', () => this.filter());
        this.list.addEventListener('scroll', () => {
            if (this.list.scrollTop + this.list.clientHeight * 2 > this.list.scrollHeight) this.more();
        });
        window.addEventListener('scroll', () => {
            if (window.scrollY + window.innerHeight * 2 > document.body.scrollHeight) this.more();
        });
        this.filter();
    }
    filter() {
        const words = byId('words').value.toLowerCase().split(/\s+/).filter(Boolean);
        const group = byId('group').value, witness = byId('witness').value;
        this.shown = this.events.filter((event) => {
            if (witness !== '' && String(event.g) !== witness) return false;
            const [itsGroup, name] = wordsOf(event.k);
            if (group !== '' && itsGroup !== group) return false;
            if (words.length === 0) return true;
            const text = `${event.k} ${name} ${event.s} ${JSON.stringify(event.d)}`.toLowerCase();
            return words.every((word) => text.includes(word));
        });
        this.rows = [];
        this.day = '';
        this.list.replaceChildren();
        this.list.scrollTop = 0;
        this.now = -1;
        this.more();
        byId('count').textContent = this.shown.length === this.events.length ? `${this.events.length} events` : `${this.shown.length} of ${this.events.length} events`;
        if (this.shown.length === 0) this.list.append(make('li', 'empty', this.events.length === 0 ? 'There is no event in this record.' : 'No event is like this.'));
    }
    more(upTo = this.rows.length + 200) {
        const fresh = [];
        for (let i = this.rows.length; i < Math.min(upTo, this.shown.length); ++i) {
            const event = this.shown[i], day = dayOf(event.t);
            if (day !== this.day) fresh.push(make('li', 'day', day));
            this.day = day;
            const row = this.row(event);
            this.rows.push(row);
            fresh.push(row);
        }
        this.list.append(...fresh);
    }
    row(event) {
        const row = make('li', `event ${event.g ? 'guest' : 'host'}${event.x ? ' wrong' : ''}`);
        const details = make('details'), summary = make('summary');
        const time = make('time', '', timeOf(event.t));
        time.dateTime = new Date(event.t).toISOString();
        summary.append(time, make('span', 'what', wordsOf(event.k)[1]), make('span', `mark ${event.g ? 'guest' : 'host'}`, event.g ? 'the machine says' : 'seen by Carrel'));
        if (event.s) summary.append(make('span', 'subject', event.s));
        details.append(summary);
        details.addEventListener('toggle', () => {
            if (details.open && details.children.length === 1) details.append(this.detail(event));
        });
        row.append(details);
        return row;
    }
    detail(event) {
        const list = make('dl');
        const index = this.player ? this.player.holds(event.t) : -1;
        if (index >= 0) {
            const go = make('button', 'go', 'Show the terminal at this moment');
            go.type = 'button';
            go.addEventListener('click', () => this.player.go(index, event.t));
            list.append(go);
        }
        const add = (name, value) => list.append(make('dt', '', name), make('dd', '', value));
        if (event.s) add('about', event.s);
        for (const [name, value] of Object.entries(event.d)) add(name, typeof value === 'string' ? value : JSON.stringify(value));
        add('kind', event.k);
        add('event', String(event.n));
        add('hash', event.h);
        return list;
    }
    // Marks the last event before that moment.
    showMoment(ms, follow) {
        let low = 0, high = this.shown.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.shown[middle].t <= ms) low = middle + 1;
            else high = middle;
        }
        const index = low - 1;
        if (index === this.now) return;
        if (this.rows[this.now]) this.rows[this.now].classList.remove('now');
        this.now = index;
        if (index < 0) return;
        if (index >= this.rows.length) this.more(index + 100);
        const row = this.rows[index];
        row.classList.add('now');
        if (follow) {
            const top = row.offsetTop - this.list.offsetTop;
            if (top < this.list.scrollTop || top + row.offsetHeight > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = top - this.list.clientHeight / 3;
        }
    }
}

function start() {
    const about = dataOf(byId('about'));
    byId('agent').textContent = about.agent;
    const events = [...document.querySelectorAll('script.events')].flatMap(dataOf);
    const [from, to] = events.length > 0 ? [events[0].t, events[events.length - 1].t] : [0, 0];
    const end = dayOf(from) === dayOf(to) ? timeOf(to) : `${dayOf(to)}, ${timeOf(to)}`;
    const span = events.length === 0 ? '' : `${dayOf(from)}, ${timeOf(from)}${end === timeOf(from) ? '' : ` to ${end}`}. `;
    byId('summary').textContent = `${span}Exported ${new Date(about.madeMs).toLocaleString()}.`;
    if (about.leftOut > 0) {
        byId('left-out').hidden = false;
        byId('left-out').textContent = `${about.leftOut} older events are left out of this page; they are in the log, and in its export as JSON Lines.`;
    }
    const timeline = new Timeline(events);
    const player = startPlayer(dataOf(byId('recordings')), new Widths(dataOf(byId('widths'))), timeline);
    const add = (name, value) => byId('evidence').append(make('dt', '', name), make('dd', '', value));
    add('Log', about.log);
    if (events.length > 0) add('Newest event', `${events[events.length - 1].n}, ${events[events.length - 1].h}`);
    if (about.head) add('Signed', about.head);
    return {player, timeline};
}
const carrelPage = start();
