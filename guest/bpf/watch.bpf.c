// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Tells guestd what the agent's programs do: which program starts where and how it ends, what they write, create, delete and rename,
// whom they want to be connected to, and what rights they reach for. It decides nothing and waits for nothing: where the ring is full,
// what does not fit is counted, and files go before programs do.
//
// What is deleted, renamed, made or given another mode is told once the kernel has done it: its hook before (lsm/path_…) knows the whole
// path, what runs after (fexit/vfs_…) knows whether it was done.
//
// A process is named by that of the program which it runs: a shell's half that starts none of its own is the shell. So each program's
// parent is one that was told, too.
#include "guest/bpf/watch_types.bpf.h"

#include "guest/bpf/exec_gate.h"
#include "guest/bpf/watch_record.h"

char LICENSE[] SEC("license") = "GPL"; // LSM programs ask for it

enum {
    kTextBytes = CARREL_WATCH_PATH + CARREL_WATCH_ARGUMENTS,
    kNameBytes = 256,
    kMostNames = 256, // on the way to a root, mounts included
    kRingBytes = 4 * 1024 * 1024,
    kWritable = 0x2, // FMODE_WRITE
    kMade = 0x100000, // FMODE_CREATED
    kCuts = 01000,    // O_TRUNC, which goes without being able to write
    kTypeMask = 0170000,
    kRegular = 0100000,
    kModeWanted = 1, // ATTR_MODE
    kAttach = 2,     // PTRACE_MODE_ATTACH
    kNotTold = 2,    // CAP_OPT_NOAUDIT
    kInet = 2,
    kInet6 = 10,
    kNamespaces = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00000080, // CLONE_NEW…
};

struct origin { // the program that a process runs, or that it was forked from
    __u64 started;
    __u32 pid;
    __u32 known; // of the program that is about to run: content is its SHA-256
    __u8 content[GATE_HASH_BYTES];
};

struct walk {
    struct dentry* dentry;
    struct vfsmount* mnt;
    struct dentry* rootDentry;
    struct vfsmount* rootMnt;
    __u32 at;
    __u32 limit;
    __u32 cut;
};

struct scratch {
    struct walk walk;
    struct CarrelWatchRecord record;
    char text[kTextBytes + kNameBytes];
};

struct pending { // until the kernel has done it
    struct CarrelWatchRecord record;
    char text[2 * CARREL_WATCH_PATH];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, kRingBytes);
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, CARREL_LOSSES);
    __type(key, __u32);
    __type(value, __u64);
} losses SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct CarrelWatchWhom);
} whom SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 512);
    __type(key, __u64);
    __type(value, struct pending);
} undecided SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct origin);
} origins SEC(".maps");

struct { // exec_gate.bpf.c's own, where guestd lends it
    __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct gate_file);
} gate_files SEC(".maps");

static __always_inline bool isWatched(void) {
    const __u32 zero = 0;
    const struct CarrelWatchWhom* of = bpf_map_lookup_elem(&whom, &zero);
    return of != 0 && of->group != 0 && bpf_get_current_ancestor_cgroup_id((int)of->level) == of->group;
}

static __always_inline struct scratch* scratch(void) {
    const __u32 zero = 0;
    return bpf_map_lookup_elem(&scratches, &zero);
}

static __always_inline void count(__u32 loss) {
    __u64* number = bpf_map_lookup_elem(&losses, &loss);
    if (number != 0) {
        __sync_fetch_and_add(number, 1);
    }
}

static __always_inline struct scratch* beginFor(__u16 kind, const struct origin* by) {
    struct scratch* s = scratch();
    if (s == 0) {
        return 0;
    }
    __builtin_memset(&s->record, 0, sizeof s->record);
    s->record.time = bpf_ktime_get_boot_ns();
    s->record.kind = kind;
    s->record.user = (__u32)bpf_get_current_uid_gid();
    s->record.pid = by->pid;
    s->record.started = by->started;
    s->walk.at = 0;
    return s;
}

// For the program that runs now. Nothing: it is none; so are guestd's own hands in the agent's group, until they become one.
static __always_inline struct scratch* begin(__u16 kind) {
    const struct origin* by = bpf_task_storage_get(&origins, bpf_get_current_task_btf(), 0, 0);
    return by != 0 ? beginFor(kind, by) : 0;
}

static __always_inline void tell(struct scratch* s, __u32 loss) {
    // Of what comes by the thousand the half of the ring is enough: the list of programs is to stay whole.
    if (loss != CARREL_LOST_PROGRAMS && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > kRingBytes / 2) {
        count(loss);
        return;
    }
    __u32 bytes = (__u32)s->record.first + s->record.second;
    if (bytes > kTextBytes) {
        return;
    }
    // Nobody is woken: guestd looks by itself, many times a second while there is something.
    if (bpf_ringbuf_output(&ring, &s->record, sizeof s->record + bytes, BPF_RB_NO_WAKEUP) != 0) {
        count(loss);
    }
}

// One name, or one mount, upwards.
static long step(__u32 index, void* context) {
    struct scratch* s = scratch();
    if (s == 0) {
        return 1;
    }
    struct dentry* dentry = s->walk.dentry;
    struct vfsmount* mnt = s->walk.mnt;
    if (dentry == s->walk.rootDentry && mnt == s->walk.rootMnt) {
        return 1;
    }
    struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
    const bool isTop = dentry == BPF_CORE_READ(mnt, mnt_root);
    if (isTop || parent == dentry) {
        struct mount* mount = (struct mount*)((void*)mnt - bpf_core_field_offset(struct mount, mnt));
        struct mount* up = BPF_CORE_READ(mount, mnt_parent);
        if (!isTop) { // of no folder: a file that never had one, or what is left of a mount
            const long alone = bpf_probe_read_kernel_str(s->text + (s->walk.at & 0xfff), kNameBytes, BPF_CORE_READ(dentry, d_name.name));
            s->walk.at += alone > 1 && s->walk.at == 0 ? (__u32)alone : 0;
            return 1;
        }
        if (up == mount || up == 0) {
            return 1;
        }
        s->walk.dentry = BPF_CORE_READ(mount, mnt_mountpoint);
        s->walk.mnt = (struct vfsmount*)((void*)up + bpf_core_field_offset(struct mount, mnt));
        return 0;
    }
    const __u32 at = s->walk.at;
    if (at + kNameBytes > s->walk.limit || at > kTextBytes) {
        s->walk.cut = 1;
        return 1;
    }
    const long length = bpf_probe_read_kernel_str(&s->text[at], kNameBytes, BPF_CORE_READ(dentry, d_name.name));
    if (length <= 0) {
        s->walk.cut = 1;
        return 1;
    }
    s->walk.at = at + (__u32)length;
    s->walk.dentry = parent;
    return 0;
}

// The path as the program that runs now would name it; answers its bytes.
static __always_inline __u16 path(struct scratch* s, struct vfsmount* mnt, struct dentry* dentry) {
    const struct task_struct___watch* task = (struct task_struct___watch*)bpf_get_current_task_btf();
    struct fs_struct* fs = task->fs;
    const __u32 from = s->walk.at;
    s->walk.dentry = dentry;
    s->walk.mnt = mnt;
    s->walk.rootDentry = BPF_CORE_READ(fs, root.dentry);
    s->walk.rootMnt = BPF_CORE_READ(fs, root.mnt);
    s->walk.limit = from + CARREL_WATCH_PATH;
    s->walk.cut = 0;
    if (bpf_loop(kMostNames, step, 0, 0) >= kMostNames) {
        s->walk.cut = 1;
    }
    if (s->walk.cut) {
        s->record.cut = 1;
    }
    return (__u16)(s->walk.at - from);
}

// --- programs

SEC("tp_btf/sched_process_fork")
int BPF_PROG(watchFork, struct task_struct* parent, struct task_struct* child) {
    if (!isWatched()) {
        return 0;
    }
    const struct origin* from = bpf_task_storage_get(&origins, parent, 0, 0);
    if (from == 0) {
        return 0;
    }
    struct origin same = {.started = from->started, .pid = from->pid};
    if (bpf_task_storage_get(&origins, child, &same, BPF_LOCAL_STORAGE_GET_F_CREATE) == 0) {
        count(CARREL_LOST_PROGRAMS);
    }
    return 0;
}

// Only programs of this kind may look at what is kept with a file. It is the one that runs now: an interpreter, where the first was a script.
SEC("lsm/bprm_committed_creds")
int BPF_PROG(watchContent, struct linux_binprm* bprm) {
    if (!isWatched()) {
        return 0;
    }
    const struct gate_file* kept = bpf_inode_storage_get(&gate_files, bprm->file->f_inode, 0, 0);
    if (kept == 0 || kept->seen != kept->changes + 1) {
        return 0;
    }
    struct origin nobody = {};
    struct origin* of = bpf_task_storage_get(&origins, bpf_get_current_task_btf(), &nobody, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (of != 0) {
        __builtin_memcpy(of->content, kept->hash, sizeof of->content);
        of->known = 1;
    }
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(watchExec, struct task_struct* task, int before, struct linux_binprm* bprm) {
    if (!isWatched()) {
        return 0;
    }
    const struct task_struct___watch* self = (struct task_struct___watch*)task;
    struct origin now = {.started = BPF_CORE_READ(self, group_leader, start_boottime), .pid = (__u32)self->tgid};
    struct scratch* s = beginFor(CARREL_WATCH_STARTED, &now);
    struct origin* from = bpf_task_storage_get(&origins, task, &now, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (s == 0 || from == 0) { // without its origin what it does could not be told, either
        count(CARREL_LOST_PROGRAMS);
        return 0;
    }
    if (from->known) {
        __builtin_memcpy(s->record.content, from->content, sizeof s->record.content);
        s->record.known = 1;
        from->known = 0;
    }
    if (from->pid != now.pid || from->started != now.started) {
        s->record.parentPid = from->pid;
        s->record.parentStarted = from->started;
        from->pid = now.pid;
        from->started = now.started;
    }
    struct file* file = bprm->file;
    s->record.first = path(s, BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
    const struct mm_struct___watch* mm = self->mm;
    const unsigned long start = BPF_CORE_READ(mm, arg_start);
    const unsigned long end = BPF_CORE_READ(mm, arg_end);
    __u64 length = end - start;
    if (length > CARREL_WATCH_ARGUMENTS) {
        length = CARREL_WATCH_ARGUMENTS;
        s->record.cut = 1;
    }
    const __u32 at = s->record.first;
    if (at <= CARREL_WATCH_PATH && length > 0 && length <= CARREL_WATCH_ARGUMENTS) {
        if (bpf_probe_read_user(&s->text[at], (__u32)length, (const void*)start) == 0) {
            s->record.second = (__u16)length;
        } else {
            s->record.cut = 1;
        }
    }
    tell(s, CARREL_LOST_PROGRAMS);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(watchExit, struct task_struct* task) {
    if (!isWatched()) {
        return 0;
    }
    const __u64 id = bpf_get_current_pid_tgid();
    bpf_map_delete_elem(&undecided, &id);
    const struct task_struct___watch* self = (struct task_struct___watch*)task;
    const struct signal_struct___watch* shared = self->signal;
    const struct origin* from = bpf_task_storage_get(&origins, task, 0, 0);
    if (shared->live.counter != 0 || from == 0 || from->pid != (__u32)self->tgid) {
        return 0; // a thread of it goes on, or it never ran a program of its own
    }
    struct scratch* s = beginFor(CARREL_WATCH_ENDED, from);
    if (s == 0) {
        count(CARREL_LOST_PROGRAMS);
        return 0;
    }
    const int group = shared->group_exit_code;
    s->record.numbers[0] = (__u32)(group != 0 ? group : self->exit_code);
    s->record.numbers[1] = shared->utime + self->utime;
    s->record.numbers[2] = shared->stime + self->stime;
    s->record.numbers[3] = shared->maxrss;
    tell(s, CARREL_LOST_PROGRAMS);
    return 0;
}

// --- files

static __always_inline int touched(__u16 kind, struct vfsmount* mount, struct dentry* dentry) {
    struct scratch* s = begin(kind);
    if (s != 0) {
        s->record.first = path(s, mount, dentry);
        tell(s, CARREL_LOST_FILES);
    }
    return 0;
}

SEC("lsm/file_open")
int BPF_PROG(watchOpen, struct file* file) {
    const bool changes = (file->f_mode & (kWritable | kMade)) != 0 || (file->f_flags & kCuts) != 0;
    if (!changes || (file->f_inode->i_mode & kTypeMask) != kRegular || !isWatched()) {
        return 0;
    }
    return touched(file->f_mode & kMade ? CARREL_WATCH_CREATED : CARREL_WATCH_WRITTEN, file->f_path.mnt, file->f_path.dentry);
}

// truncate(2); whoever cuts it by a descriptor has opened it.
SEC("fexit/vfs_truncate")
int BPF_PROG(watchTruncated, const struct path* where, __s64 length, int answer) {
    return answer == 0 && isWatched() ? touched(CARREL_WATCH_WRITTEN, where->mnt, where->dentry) : 0;
}

static __always_inline void decideLater(struct scratch* s) {
    const __u64 id = bpf_get_current_pid_tgid();
    // From the record on: the value is as long as its own type, and the scratch goes on behind that.
    if (bpf_map_update_elem(&undecided, &id, &s->record, BPF_ANY) != 0) {
        count(CARREL_LOST_FILES);
    }
}

static __always_inline int await(__u16 kind, const struct path* dir, struct dentry* dentry, __u64 number) {
    if (!isWatched()) {
        return 0;
    }
    struct scratch* s = begin(kind);
    if (s == 0) {
        return 0;
    }
    s->record.numbers[0] = number;
    s->record.first = path(s, dir->mnt, dentry);
    decideLater(s);
    return 0;
}

// `answer`: an error, or 0, or, of functions that hand out a pointer in later kernels, that.
static __always_inline int decided(__u16 kind, int answer) {
    if (!isWatched()) {
        return 0;
    }
    const __u64 id = bpf_get_current_pid_tgid();
    struct pending* waits = bpf_map_lookup_elem(&undecided, &id);
    if (waits == 0 || waits->record.kind != kind) {
        return 0;
    }
    const __u32 bytes = (__u32)waits->record.first + waits->record.second;
    if (!(answer < 0 && answer >= -4095) && bytes <= sizeof waits->text) {
        if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > kRingBytes / 2 ||
            bpf_ringbuf_output(&ring, &waits->record, sizeof waits->record + bytes, BPF_RB_NO_WAKEUP) != 0) {
            count(CARREL_LOST_FILES);
        }
    }
    bpf_map_delete_elem(&undecided, &id);
    return 0;
}

SEC("lsm/path_unlink")
int BPF_PROG(watchUnlink, const struct path* dir, struct dentry* dentry) {
    return await(CARREL_WATCH_DELETED, dir, dentry, 0);
}
SEC("fexit/vfs_unlink")
int BPF_PROG(watchUnlinked, void* ids, void* dir, void* dentry, void* delegated, int answer) {
    return decided(CARREL_WATCH_DELETED, answer);
}

SEC("lsm/path_rmdir")
int BPF_PROG(watchRmdir, const struct path* dir, struct dentry* dentry) {
    return await(CARREL_WATCH_FOLDER_DELETED, dir, dentry, 0);
}
SEC("fexit/vfs_rmdir")
int BPF_PROG(watchRmdirDone, void* ids, void* dir, void* dentry, int answer) {
    return decided(CARREL_WATCH_FOLDER_DELETED, answer);
}

SEC("lsm/path_mkdir")
int BPF_PROG(watchMkdir, const struct path* dir, struct dentry* dentry, int mode) {
    return await(CARREL_WATCH_FOLDER_MADE, dir, dentry, 0);
}
SEC("fexit/vfs_mkdir")
int BPF_PROG(watchMkdirDone, void* ids, void* dir, void* dentry, long mode, int answer) {
    return decided(CARREL_WATCH_FOLDER_MADE, answer);
}

SEC("lsm/path_symlink")
int BPF_PROG(watchSymlink, const struct path* dir, struct dentry* dentry) {
    return await(CARREL_WATCH_LINKED, dir, dentry, 0);
}
SEC("fexit/vfs_symlink")
int BPF_PROG(watchSymlinkDone, void* ids, void* dir, void* dentry, void* to, int answer) {
    return decided(CARREL_WATCH_LINKED, answer);
}

SEC("lsm/path_link")
int BPF_PROG(watchLink, struct dentry* from, const struct path* dir, struct dentry* dentry) {
    return await(CARREL_WATCH_LINKED, dir, dentry, 0);
}
SEC("fexit/vfs_link")
int BPF_PROG(watchLinkDone, void* from, void* ids, void* dir, void* dentry, void* delegated, int answer) {
    return decided(CARREL_WATCH_LINKED, answer);
}

SEC("lsm/path_chmod")
int BPF_PROG(watchChmod, const struct path* file, unsigned short mode) {
    return await(CARREL_WATCH_MODE_CHANGED, file, file->dentry, mode & 07777);
}
SEC("fexit/notify_change")
int BPF_PROG(watchChmodDone, void* ids, void* dentry, void* change, void* delegated, int answer) {
    return decided(CARREL_WATCH_MODE_CHANGED, answer);
}

SEC("lsm/path_rename")
int BPF_PROG(watchRename, const struct path* fromDir, struct dentry* from, const struct path* toDir, struct dentry* to) {
    if (!isWatched()) {
        return 0;
    }
    struct scratch* s = begin(CARREL_WATCH_RENAMED);
    if (s == 0) {
        return 0;
    }
    s->record.first = path(s, fromDir->mnt, from);
    s->record.second = path(s, toDir->mnt, to);
    decideLater(s);
    return 0;
}
SEC("fexit/vfs_rename")
int BPF_PROG(watchRenameDone, void* what, int answer) {
    return decided(CARREL_WATCH_RENAMED, answer);
}

// --- connections

static __always_inline void tellAddress(__u64 type, const void* address, int length) {
    struct sockaddr_in6 copy = {};
    if (length < (int)sizeof(struct sockaddr_in) || bpf_probe_read_kernel(&copy, sizeof(struct sockaddr_in), address) != 0) {
        return;
    }
    if (copy.sin6_family != kInet && copy.sin6_family != kInet6) {
        return;
    }
    struct scratch* s = begin(CARREL_WATCH_NET);
    if (s == 0) {
        return;
    }
    s->record.numbers[0] = type;
    s->record.numbers[1] = __builtin_bswap16(copy.sin6_port);
    if (copy.sin6_family == kInet) {
        s->record.numbers[2] = 4;
        s->record.first = 4;
        __builtin_memcpy(s->text, &((struct sockaddr_in*)&copy)->sin_addr, 4);
    } else {
        if (length < 24 || bpf_probe_read_kernel(&copy, 24, address) != 0) { // SIN6_LEN_RFC2133
            return;
        }
        s->record.numbers[2] = 16;
        s->record.first = 16;
        __builtin_memcpy(s->text, &copy.sin6_addr, 16);
    }
    tell(s, CARREL_LOST_CONNECTIONS);
}

SEC("lsm/socket_connect")
int BPF_PROG(watchConnect, struct socket* socket, struct sockaddr* address, int length) {
    if (isWatched()) {
        tellAddress((__u64)socket->type, address, length);
    }
    return 0;
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(watchSend, struct socket* socket, struct msghdr* message, int size) {
    if (message->msg_name != 0 && isWatched()) {
        tellAddress((__u64)socket->type, message->msg_name, message->msg_namelen);
    }
    return 0;
}

// --- rights

static __always_inline int tellRight(__u16 kind, __u64 number, const char* text) {
    if (!isWatched()) {
        return 0;
    }
    struct scratch* s = begin(kind);
    if (s == 0) {
        return 0;
    }
    s->record.numbers[0] = number;
    if (text != 0) {
        const long length = bpf_probe_read_kernel_str(s->text, kNameBytes, text);
        s->record.first = length > 1 && length <= kNameBytes ? (__u16)(length - 1) : 0;
    }
    tell(s, CARREL_LOST_RIGHTS);
    return 0;
}

SEC("fentry/unshare_nsproxy_namespaces")
int BPF_PROG(watchUnshare, unsigned long flags) {
    return (flags & kNamespaces) != 0 ? tellRight(CARREL_WATCH_NAMESPACE, flags & kNamespaces, 0) : 0;
}
SEC("fentry/copy_namespaces")
int BPF_PROG(watchClone, unsigned long flags) {
    return (flags & kNamespaces) != 0 ? tellRight(CARREL_WATCH_NAMESPACE, flags & kNamespaces, 0) : 0;
}
SEC("lsm/userns_create")
int BPF_PROG(watchUserNamespace, const struct cred* cred) {
    return tellRight(CARREL_WATCH_NAMESPACE, 0x10000000, 0);
}
// At the door to all of the security modules: ours is the last of them, and hears nothing of what another has refused.
SEC("fentry/security_sb_mount")
int BPF_PROG(watchMount, const char* device, const struct path* at, const char* type) {
    return tellRight(CARREL_WATCH_MOUNT, 0, type);
}
SEC("fentry/security_ptrace_access_check")
int BPF_PROG(watchTrace, struct task_struct* child, unsigned int mode) {
    return (mode & kAttach) != 0 ? tellRight(CARREL_WATCH_TRACE, (__u64)child->tgid, 0) : 0;
}
SEC("lsm/bpf")
int BPF_PROG(watchBpf, int command) {
    return tellRight(CARREL_WATCH_BPF, (__u64)command, 0);
}
SEC("lsm/perf_event_open")
int BPF_PROG(watchPerformance) {
    return tellRight(CARREL_WATCH_PERFORMANCE, 0, 0);
}
SEC("lsm/task_fix_setuid")
int BPF_PROG(watchAccount, struct cred* now, const struct cred* before) {
    const __u32 to = now->euid.val;
    return to != before->euid.val ? tellRight(CARREL_WATCH_ACCOUNT, to, 0) : 0;
}
SEC("fentry/security_capable")
int BPF_PROG(watchCapable, const struct cred* cred, struct user_namespace* over, int capability, unsigned int options) {
    // Those of the whole machine that nobody asks about by the way: kernel modules, raw devices, tracing, another kernel, its clock,
    // what it counts, its programs.
    const __u64 told = (1ULL << 16) | (1ULL << 17) | (1ULL << 19) | (1ULL << 22) | (1ULL << 25) | (1ULL << 38) | (1ULL << 39);
    if (capability < 0 || capability > 63 || (told >> capability & 1) == 0 || (options & kNotTold) != 0 || over->level != 0) {
        return 0;
    }
    return tellRight(CARREL_WATCH_CAPABILITY, (__u64)capability, 0);
}
SEC("fentry/audit_seccomp")
int BPF_PROG(watchRefusedCall, unsigned long number) {
    return tellRight(CARREL_WATCH_REFUSED_CALL, number, 0);
}
