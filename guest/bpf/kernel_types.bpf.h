// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The few types of the kernel that our programs look into, each with the members that are used and no other. Where a member lies is
// found when a program is loaded, from the running kernel's own description (preserve_access_index; "BPF CO-RE" in the kernel's
// Documentation/bpf/libbpf): so neither order nor gaps matter here, and no header of the building computer's kernel is read.
// Names are the kernel's. For programs compiled for BPF only.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef _Bool bool;
enum { false, true };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

typedef struct {
    unsigned int val;
} kuid_t;

struct ns_common {
    unsigned int inum;
};

struct user_namespace {
    struct user_namespace* parent;
    int level;
    struct ns_common ns;
};

struct cred {
    kuid_t uid;
    kuid_t euid;
    struct user_namespace* user_ns;
};

struct kernfs_node {
    __u64 id;
};

struct cgroup {
    struct kernfs_node* kn;
    int level;
};

struct css_set {
    struct cgroup* dfl_cgrp;
};

struct qstr {
    union {
        struct {
            __u32 hash;
            __u32 len;
        };
        __u64 hash_len;
    };
    const unsigned char* name;
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
};

struct rb_node;

struct rb_root {
    struct rb_node* rb_node;
};

struct rb_root_cached {
    struct rb_root rb_root;
};

struct address_space {
    struct rb_root_cached i_mmap;
};

struct inode {
    unsigned short i_mode;
    unsigned int i_nlink;
    unsigned long i_ino;
    __s64 i_size;
    struct super_block* i_sb;
    atomic_t i_writecount;
    struct address_space* i_mapping;
};

struct iattr {
    unsigned int ia_valid;
    unsigned short ia_mode;
};

struct dentry {
    struct dentry* d_parent;
    struct qstr d_name;
    struct inode* d_inode;
};

struct vfsmount {
    struct dentry* mnt_root;
};

struct path {
    struct vfsmount* mnt;
    struct dentry* dentry;
};

struct file {
    struct path f_path;
    struct inode* f_inode;
    unsigned int f_flags;
    unsigned int f_mode;
};

struct mm_struct {
    struct file* exe_file;
};

struct anon_vma;

struct vm_area_struct {
    unsigned long vm_start;
    unsigned long vm_end;
    unsigned long vm_flags;
    struct mm_struct* vm_mm;
    struct anon_vma* anon_vma;
    struct file* vm_file;
};

struct signal_struct {
    int group_exit_code;
};

struct task_struct {
    int pid;
    int tgid;
    int exit_code;
    __u64 start_time;
    __u64 start_boottime;
    struct task_struct* real_parent;
    struct task_struct* group_leader;
    struct mm_struct* mm;
    struct signal_struct* signal;
    struct css_set* cgroups;
    const struct cred* cred;
    const struct cred* real_cred;
    char comm[16];
};

struct linux_binprm {
    struct file* file;
    struct file* interpreter;
    struct file* executable;
    const char* filename;
    const char* interp;
    int argc;
};

#pragma clang attribute pop
