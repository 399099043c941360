/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
 * What watch.bpf.c writes into its ring for guestd: one record for each thing seen. For the C of kernel programs and for C++.
 * A path is its names from the last to the first, each with a NUL behind it; times are nanoseconds since the machine's start. */
#pragma once

#include <linux/types.h>

enum CarrelWatchKind {
    CARREL_WATCH_STARTED = 1, /* path; arguments as the program has them, each with a NUL behind it */
    CARREL_WATCH_ENDED,       /* numbers: exit code as wait(2) has it, user ns, system ns, most resident pages */
    CARREL_WATCH_WRITTEN,     /* path */
    CARREL_WATCH_CREATED,
    CARREL_WATCH_FOLDER_MADE,
    CARREL_WATCH_LINKED,
    CARREL_WATCH_DELETED,
    CARREL_WATCH_FOLDER_DELETED,
    CARREL_WATCH_MODE_CHANGED, /* numbers: mode */
    CARREL_WATCH_RENAMED,      /* path, and the one it has now */
    CARREL_WATCH_NET,          /* numbers: type of the socket, port, bytes of the address; the address as text */
    CARREL_WATCH_NAMESPACE,    /* numbers: flags as for unshare(2) */
    CARREL_WATCH_MOUNT,        /* the kind of file system as text */
    CARREL_WATCH_TRACE,        /* numbers: pid of whom */
    CARREL_WATCH_BPF,          /* numbers: command */
    CARREL_WATCH_PERFORMANCE,
    CARREL_WATCH_ACCOUNT,      /* numbers: user id wanted */
    CARREL_WATCH_REFUSED_CALL, /* numbers: of the system call */
    CARREL_WATCH_CAPABILITY,   /* numbers: which, over the whole machine */
};

enum { CARREL_WATCH_PATH = 1792, CARREL_WATCH_ARGUMENTS = 4096, CARREL_WATCH_NUMBERS = 4 };

struct CarrelWatchRecord {
    __u64 time;
    __u64 started; /* of the process that runs the program */
    __u64 parentStarted;
    __u64 numbers[CARREL_WATCH_NUMBERS];
    __u32 pid;
    __u32 parentPid;
    __u32 user;
    __u16 kind;
    __u16 first;  /* bytes of the path, or of the text */
    __u16 second; /* of the other path, or of the arguments, behind it */
    __u8 cut;     /* something is left out at its end, or at the path's beginning */
    __u8 known; /* the program's file was hashed by the control of programs, and content is its SHA-256 */
    __u32 zero;
    __u8 content[32];
}; /* then the text: first and second together, as many bytes */

/* What cannot be written into the ring is counted there. */
enum CarrelWatchLoss { CARREL_LOST_PROGRAMS, CARREL_LOST_FILES, CARREL_LOST_CONNECTIONS, CARREL_LOST_RIGHTS, CARREL_LOSSES };

/* Whose programs are watched: those in the control group of that id, which is so many levels beneath the root, and beneath it.
 * 0: nobody's. */
struct CarrelWatchWhom {
    __u64 group;
    __u32 level;
    __u32 zero;
};
