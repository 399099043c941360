// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What watch.bpf.c looks into beyond kernel_types.bpf.h. A name's part from ___ on is ours: the loader leaves it out when it looks for
// the kernel's type ("flavours" in the kernel's Documentation/bpf/libbpf).
#pragma once

#include "guest/bpf/kernel_types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct fs_struct {
    struct path root;
};

struct mount {
    struct mount* mnt_parent;
    struct dentry* mnt_mountpoint;
    struct vfsmount mnt;
};

struct mm_struct___watch {
    unsigned long arg_start;
    unsigned long arg_end;
};

struct signal_struct___watch {
    atomic_t live;
    int group_exit_code;
    __u64 utime;
    __u64 stime;
    unsigned long maxrss;
};

struct task_struct___watch {
    int pid;
    int tgid;
    int exit_code;
    __u64 start_boottime;
    __u64 utime;
    __u64 stime;
    struct task_struct___watch* group_leader;
    struct mm_struct___watch* mm;
    struct signal_struct___watch* signal;
    struct fs_struct* fs;
};

struct socket {
    short type;
};

struct msghdr {
    void* msg_name;
    int msg_namelen;
};

#pragma clang attribute pop

// Of programs' own making, the same in every kernel (ip(7), ipv6(7)).
struct sockaddr {
    unsigned short sa_family;
};

struct in_addr {
    __u32 s_addr;
};

struct sockaddr_in {
    unsigned short sin_family;
    __u16 sin_port;
    struct in_addr sin_addr;
};

struct in6_addr {
    __u8 bytes[16];
};

struct sockaddr_in6 {
    unsigned short sin6_family;
    __u16 sin6_port;
    __u32 sin6_flowinfo;
    struct in6_addr sin6_addr;
};
