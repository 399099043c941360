// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Decides by the content of a file whether an agent's program may run it: at exec, for each interpreter, at each mapping to be run, and
// at each change of a mapping's protection. Names and paths decide nothing.
//
// Whose programs: whoever lives in another user namespace than the machine's own. guestd and carrel-init do not.
//
// A content is hashed once and the hash kept with the inode, for as long as it is certainly the content: it is read only while nobody
// has the file open for writing (i_writecount, which a shared mapping holds up, too), and any opening for writing or truncation after
// that raises `changes`. Writer and reader each leave their mark before they look for the other's, so that one sees the other.
// Only ext4 and tmpfs are kept: elsewhere a content can change without an opening of this very inode.
//
// What it cannot see: what an interpreter reads by itself (`sh script`), and what a program that may make code makes.
#include "guest/bpf/kernel_types.bpf.h"

#include "guest/bpf/exec_gate.h"

char LICENSE[] SEC("license") = "GPL"; // bpf_ima_file_hash and programs of this kind ask for it

#define EPERM 1
#define EACCES 13
#define ETXTBSY 26

#define PROT_WRITE 2
#define PROT_EXEC 4
#define VM_EXEC 4
#define VM_SHARED 8
#define FMODE_WRITE 2
#define MAP_TYPE 15
#define MAP_PRIVATE 2
#define ATTR_SIZE 8
#define S_IFMT 0170000
#define S_IFREG 0100000
#define PTRACE_MODE_ATTACH 2
#define HASH_ALGO_SHA256 4 // linux/hash_info.h
#define MAGIC_EXT4 0xEF53
#define MAGIC_TMPFS 0x01021994
#define MAGIC_FUSE 0x65735546
#define MAGIC_PROC 0x9fa0

#define SECOND_NS 1000000000ULL
#define FRESH_NS (10 * SECOND_NS) // a mapping that was allowed and does not stand yet stands within that
#define TELL_NS SECOND_NS        // the same is not told more often

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct gate_config);
} gate_config SEC(".maps");

struct gate_hash {
    __u8 bytes[GATE_HASH_BYTES];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, GATE_MAX_HASHES);
    __type(key, struct gate_hash);
    __type(value, __u32);
} gate_policy SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_INODE_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct gate_file);
} gate_files SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 256 * 1024);
} gate_events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} gate_lost SEC(".maps"); // what could not be told

struct gate_told {
    struct gate_hash hash;
    __u32 why;
    __u32 pid;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct gate_told);
    __type(value, __u64);
} gate_told_at SEC(".maps");

static __always_inline struct gate_config* configOf(void) {
    const __u32 first = 0;
    return bpf_map_lookup_elem(&gate_config, &first);
}

static __always_inline bool isAgents(struct task_struct* task) {
    return task->cred->user_ns->level > 0;
}

static __always_inline bool isRegular(struct inode* inode) {
    return (inode->i_mode & S_IFMT) == S_IFREG;
}

static __always_inline bool isKept(struct inode* inode) {
    const unsigned long magic = inode->i_sb->s_magic;
    return isRegular(inode) && inode->i_nlink > 0 && (magic == MAGIC_EXT4 || magic == MAGIC_TMPFS);
}

// Where a mark can be left for whoever opens it for writing, which in a shared folder (FUSE) is the agent's programs alone.
static __always_inline bool isMarked(struct inode* inode) {
    return isKept(inode) || (isRegular(inode) && inode->i_sb->s_magic == MAGIC_FUSE);
}

static __always_inline bool isWritten(struct inode* inode) {
    return *(volatile int*)&inode->i_writecount.counter > 0;
}

// --- telling --------------------------------------------------------------------------------------------------

static __always_inline struct gate_event* beginEvent(struct gate_config* config, __u32 why, const __u8* hash) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct gate_told told = {};
    told.why = why;
    told.pid = task->tgid;
    if (hash) {
        __builtin_memcpy(told.hash.bytes, hash, GATE_HASH_BYTES);
    }
    const __u64 now = bpf_ktime_get_ns();
    const __u64* last = bpf_map_lookup_elem(&gate_told_at, &told);
    if (last && now - *last < TELL_NS) {
        return 0;
    }
    struct gate_event* event = bpf_ringbuf_reserve(&gate_events, sizeof *event, 0);
    if (!event) {
        const __u32 first = 0;
        __u64* lost = bpf_map_lookup_elem(&gate_lost, &first);
        if (lost) {
            __sync_fetch_and_add(lost, 1);
        }
        return 0;
    }
    bpf_map_update_elem(&gate_told_at, &told, &now, BPF_ANY);
    event->age = config->age;
    event->pid = task->tgid;
    event->why = why;
    event->has_hash = hash != 0;
    event->path_bytes = -1;
    __builtin_memset(event->hash, 0, GATE_HASH_BYTES);
    if (hash) {
        __builtin_memcpy(event->hash, hash, GATE_HASH_BYTES);
    }
    event->path[0] = 0;
    bpf_probe_read_kernel(event->name, GATE_NAME_BYTES, task->comm);
    struct task_struct* parent = task->real_parent;
#pragma unroll
    for (int i = 0; i < GATE_ANCESTORS; ++i) {
        __builtin_memset(event->ancestors[i], 0, GATE_NAME_BYTES);
        if (parent && isAgents(parent)) {
            bpf_probe_read_kernel(event->ancestors[i], GATE_NAME_BYTES, parent->comm);
            parent = parent->real_parent;
        } else {
            parent = 0;
        }
    }
    return event;
}

static __always_inline void tell(struct gate_config* config, __u32 why, const __u8* hash) {
    struct gate_event* event = beginEvent(config, why, hash);
    if (event) {
        bpf_ringbuf_submit(event, 0);
    }
}

static __always_inline void tellOfFile(struct gate_config* config, __u32 why, const __u8* hash, struct file* file) {
    struct gate_event* event = beginEvent(config, why, hash);
    if (event) {
        event->path_bytes = bpf_d_path(&file->f_path, event->path, GATE_PATH_BYTES);
        bpf_ringbuf_submit(event, 0);
    }
}

// --- contents -------------------------------------------------------------------------------------------------

static __always_inline bool takeKept(struct gate_file* kept, __u64 changes, struct gate_hash* hash) {
    volatile struct gate_file* now = kept;
    if (now->seen != changes + 1) {
        return false;
    }
    __builtin_memcpy(hash->bytes, kept->hash, GATE_HASH_BYTES);
    return now->seen == changes + 1 && now->changes == changes;
}

// 0, or negative where nothing is known of the content.
static __always_inline int hashOf(struct file* file, struct gate_hash* hash) {
    struct inode* inode = file->f_inode;
    struct gate_file* kept = 0;
    __u64 changes = 0;
    bool written = true;
    if (isKept(inode)) {
        kept = bpf_inode_storage_get(&gate_files, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    }
    if (kept) {
        changes = __sync_fetch_and_add(&kept->changes, 0); // before the look at writers
        written = isWritten(inode);
        if (!written && takeKept(kept, changes, hash)) {
            return 0;
        }
    }
    if (bpf_ima_file_hash(file, hash->bytes, GATE_HASH_BYTES) != HASH_ALGO_SHA256) {
        return -1;
    }
    if (kept && !written && __sync_val_compare_and_swap(&kept->busy, 0, 1) == 0) {
        volatile struct gate_file* now = kept;
        now->seen = 0;
        __builtin_memcpy(kept->hash, hash->bytes, GATE_HASH_BYTES);
        __sync_fetch_and_add(&kept->shared, 0); // all of it before it counts
        now->seen = changes + 1;
        now->busy = 0;
    }
    return 0;
}

// A page of a shared mapping that the kernel holds for a copy under way (get_user_pages) can be written to when the mapping and its
// descriptor are gone, and i_writecount with them. Where only what is listed runs, such a file does not run; a copy of it may.
static __always_inline void noteShared(struct inode* inode) {
    struct gate_file* kept = isMarked(inode) ? bpf_inode_storage_get(&gate_files, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE) : 0;
    if (kept) {
        __sync_lock_test_and_set(&kept->shared, 1);
    }
}

static __always_inline bool wasShared(struct inode* inode) {
    struct gate_file* kept = bpf_inode_storage_get(&gate_files, inode, 0, 0);
    return kept && *(volatile __u32*)&kept->shared != 0;
}

static __always_inline __u32 policyOf(const struct gate_hash* hash) {
    const __u32* bits = bpf_map_lookup_elem(&gate_policy, hash);
    return bits ? *bits : 0;
}

// Without a hash at hand, for where the kernel may not wait for a disk. False: it is not known, or no longer.
static __always_inline bool knownOf(struct inode* inode, struct gate_hash* hash) {
    struct gate_file* kept = inode ? bpf_inode_storage_get(&gate_files, inode, 0, 0) : 0;
    if (!kept) {
        return false;
    }
    const __u64 changes = __sync_fetch_and_add(&kept->changes, 0);
    return !isWritten(inode) && takeKept(kept, changes, hash);
}

static __always_inline bool makesCode(struct task_struct* task) {
    struct gate_hash hash = {};
    struct mm_struct* mm = task->mm;
    if (!mm || !mm->exe_file || !knownOf(mm->exe_file->f_inode, &hash)) {
        return false;
    }
    return (policyOf(&hash) & (GATE_MAKES_CODE | GATE_DENIED)) == GATE_MAKES_CODE;
}

// Why it may not run; 0: it may.
static __always_inline __u32 judge(struct gate_config* config, struct file* file, struct gate_hash* hash, bool* hashed) {
    struct inode* inode = file->f_inode;
    if (inode->i_sb->s_dev == config->trusted_device) {
        return 0;
    }
    if (!isRegular(inode)) { // a device's content is what it likes
        return config->mode == GATE_OBSERVE ? 0 : GATE_WHY_UNREADABLE;
    }
    if (config->mode == GATE_ALLOW) {
        const unsigned long magic = inode->i_sb->s_magic;
        if (inode->i_nlink == 0) { // also for one that may make code, in memory of its own: its libraries have names
            return GATE_WHY_NAMELESS;
        }
        if (magic != MAGIC_EXT4 && magic != MAGIC_TMPFS && magic != MAGIC_FUSE) {
            return GATE_WHY_PLACE;
        }
        if (wasShared(inode)) {
            return GATE_WHY_WRITTEN;
        }
    }
    if (hashOf(file, hash) != 0) {
        return config->mode == GATE_OBSERVE ? 0 : GATE_WHY_UNREADABLE;
    }
    *hashed = true;
    const __u32 bits = policyOf(hash);
    if (config->mode == GATE_OBSERVE) {
        return 0;
    }
    if (bits & GATE_DENIED) {
        return GATE_WHY_DENIED;
    }
    if (config->mode == GATE_ALLOW && !(bits & GATE_ALLOWED)) {
        return GATE_WHY_UNKNOWN;
    }
    return 0;
}

static __always_inline int answerFor(__u32 why) {
    return why == 0 ? 0 : why == GATE_WHY_UNKNOWN ? -EACCES : why == GATE_WHY_RUNNING || why == GATE_WHY_WRITTEN ? -ETXTBSY : -EPERM;
}

static __always_inline int decide(struct gate_config* config, struct file* file) {
    struct gate_hash hash = {};
    bool hashed = false;
    const __u32 why = judge(config, file, &hash, &hashed);
    if (why) {
        tellOfFile(config, why, hashed ? hash.bytes : 0, file);
    }
    return answerFor(why);
}

// --- the hooks ------------------------------------------------------------------------------------------------

SEC("lsm.s/bprm_check_security")
int BPF_PROG(gateProgram, struct linux_binprm* bprm) {
    struct gate_config* config = configOf();
    if (!config || !isAgents(bpf_get_current_task_btf())) {
        return 0;
    }
    return decide(config, bprm->file); // once for a script, and once more for what it names behind #!
}

SEC("lsm.s/mmap_file")
int BPF_PROG(gateMapping, struct file* file, unsigned long reqprot, unsigned long prot, unsigned long flags) {
    struct gate_config* config = configOf();
    if (!config || !isAgents(bpf_get_current_task_btf())) {
        return 0;
    }
    if (file && (flags & MAP_TYPE) != MAP_PRIVATE && (file->f_mode & FMODE_WRITE)) {
        noteShared(file->f_inode);
    }
    if (!(prot & PROT_EXEC)) {
        return 0;
    }
    const bool strict = config->mode == GATE_ALLOW;
    if (strict && (!file || (prot & PROT_WRITE)) && !makesCode(bpf_get_current_task_btf())) {
        tell(config, GATE_WHY_MEMORY, 0);
        return -EPERM;
    }
    if (!file) {
        return 0;
    }
    // The mark first, then the look for a writer. The mark in every mode: what is mapped then may still be there when another counts.
    struct inode* inode = file->f_inode;
    if (isMarked(inode)) {
        struct gate_file* kept = bpf_inode_storage_get(&gate_files, inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (kept) {
            __sync_lock_test_and_set(&kept->mapped_ns, bpf_ktime_get_ns());
        } else if (strict) {
            tellOfFile(config, GATE_WHY_UNREADABLE, 0, file);
            return -EPERM;
        }
    }
    if (strict && isWritten(inode)) {
        tellOfFile(config, GATE_WHY_WRITTEN, 0, file);
        return -ETXTBSY;
    }
    return decide(config, file);
}

SEC("lsm/file_mprotect")
int BPF_PROG(gateProtection, struct vm_area_struct* vma, unsigned long reqprot, unsigned long prot) {
    struct gate_config* config = configOf();
    struct task_struct* task = bpf_get_current_task_btf();
    if (!(prot & PROT_EXEC) || !config || config->mode == GATE_OBSERVE || !isAgents(task)) {
        return 0;
    }
    struct file* file = vma->vm_file;
    const bool strict = config->mode == GATE_ALLOW;
    // A private mapping with pages of its own holds what the program wrote there, whatever the file's content is.
    const bool own = !file || (vma->anon_vma && !(vma->vm_flags & VM_SHARED));
    if (strict && (own || (prot & PROT_WRITE)) && !makesCode(task)) {
        tell(config, GATE_WHY_MEMORY, 0);
        return -EPERM;
    }
    if (!file || (vma->vm_flags & VM_EXEC) || file->f_inode->i_sb->s_dev == config->trusted_device) {
        return 0; // no file's content, or looked at when it was mapped
    }
    if (own && makesCode(task)) {
        return 0;
    }
    struct gate_hash hash = {};
    struct gate_file* kept = bpf_inode_storage_get(&gate_files, file->f_inode, 0, 0);
    if (kept) { // as where it is mapped: the mark first, then the look for a writer
        __sync_lock_test_and_set(&kept->mapped_ns, bpf_ktime_get_ns());
        if (strict && *(volatile __u32*)&kept->shared != 0) {
            tell(config, GATE_WHY_WRITTEN, 0);
            return -ETXTBSY;
        }
    }
    if (!knownOf(file->f_inode, &hash)) {
        tell(config, GATE_WHY_UNCHECKED, 0);
        return -EPERM;
    }
    const __u32 bits = policyOf(&hash);
    if (bits & GATE_DENIED) {
        tell(config, GATE_WHY_DENIED, hash.bytes);
        return -EPERM;
    }
    if (strict && !(bits & GATE_ALLOWED)) {
        tell(config, GATE_WHY_UNKNOWN, hash.bytes);
        return -EACCES;
    }
    return 0;
}

// Whoever writes, also the machine's own root, ends what is known of the content.
static __always_inline int noteWriter(struct inode* inode) {
    struct gate_file* kept = inode ? bpf_inode_storage_get(&gate_files, inode, 0, 0) : 0;
    if (!kept) {
        return 0;
    }
    __sync_fetch_and_add(&kept->changes, 1); // the mark first, then the look for mappings
    struct gate_config* config = configOf();
    const __u64 mapped = *(volatile __u64*)&kept->mapped_ns;
    if (!config || config->mode != GATE_ALLOW || mapped == 0 || !isAgents(bpf_get_current_task_btf())) {
        return 0;
    }
    if (inode->i_mapping->i_mmap.rb_root.rb_node || bpf_ktime_get_ns() - mapped < FRESH_NS) {
        tell(config, GATE_WHY_RUNNING, 0);
        return -ETXTBSY; // as for the file of a running program (execve(2)), also for what it has mapped
    }
    return 0;
}

SEC("lsm/file_open")
int BPF_PROG(gateOpening, struct file* file) {
    if (!(file->f_mode & FMODE_WRITE)) {
        return 0;
    }
    struct inode* inode = file->f_inode;
    if (inode->i_sb->s_magic == MAGIC_PROC) {
        // /proc/PID/mem writes where the memory's protection forbids it.
        struct gate_config* config = configOf();
        struct task_struct* task = bpf_get_current_task_btf();
        const unsigned char* name = file->f_path.dentry->d_name.name;
        char text[4] = {};
        bpf_probe_read_kernel_str(text, sizeof text, name);
        if (config && config->mode == GATE_ALLOW && file->f_path.dentry->d_name.len == 3 && text[0] == 'm' && text[1] == 'e' &&
            text[2] == 'm' && isAgents(task) && !makesCode(task)) {
            tell(config, GATE_WHY_FOREIGN, 0);
            return -EPERM;
        }
        return 0;
    }
    return isRegular(inode) ? noteWriter(inode) : 0;
}

// Not path_truncate: through an overlay that names the overlay's own inode, and this, in turn, the one whose content is cut.
SEC("lsm/inode_setattr")
int BPF_PROG(gateTruncation, struct dentry* dentry, struct iattr* attr) {
    return attr->ia_valid & ATTR_SIZE ? noteWriter(dentry->d_inode) : 0;
}

static __always_inline int gateTracer(struct task_struct* tracer) {
    struct gate_config* config = configOf();
    if (!config || config->mode != GATE_ALLOW || !isAgents(tracer) || makesCode(tracer)) {
        return 0;
    }
    tell(config, GATE_WHY_FOREIGN, 0);
    return -EPERM;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(gateTracing, struct task_struct* child, unsigned int mode) {
    return mode & PTRACE_MODE_ATTACH ? gateTracer(bpf_get_current_task_btf()) : 0;
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(gateTraced, struct task_struct* parent) {
    return gateTracer(parent);
}
