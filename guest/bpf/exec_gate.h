// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What exec_gate.bpf.c and guestd share: the form of its maps and of what it tells. Plain C, for both compilers.
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define GATE_HASH_BYTES 32 /* SHA-256 */
#define GATE_PATH_BYTES 1024
#define GATE_NAME_BYTES 16 /* TASK_COMM_LEN */
#define GATE_ANCESTORS 6
#define GATE_MAX_HASHES 65536 /* two policies; each place takes 16 bytes and a moment of the start */

enum gate_mode { GATE_OBSERVE = 0, GATE_DENY = 1, GATE_ALLOW = 2 };

// Bits of a value in the map gate_policy, whose keys are hashes of contents.
enum gate_bits { GATE_DENIED = 1, GATE_ALLOWED = 2, GATE_MAKES_CODE = 4 };

enum gate_why {
    GATE_WHY_DENIED = 1,      // the content is on the list of what is denied
    GATE_WHY_UNKNOWN = 2,     // the content is on no list, and only what is listed runs
    GATE_WHY_UNREADABLE = 3,  // the content cannot be read by the kernel: nothing is known of it
    GATE_WHY_NAMELESS = 4,    // a file without a name: memfd_create(2), O_TMPFILE, removed
    GATE_WHY_PLACE = 5,       // a file system where what was looked at may be something else when it runs
    GATE_WHY_WRITTEN = 6,     // somebody has the file open for writing
    GATE_WHY_MEMORY = 7,      // memory that holds no file's content, or no longer
    GATE_WHY_UNCHECKED = 8,   // memory of a file that was not looked at when it was mapped
    GATE_WHY_RUNNING = 9,     // a write to what is mapped to be run
    GATE_WHY_FOREIGN = 10,    // a hand on another program's memory, or on its own past its protection
};

struct gate_config {      // the only element of the map gate_config
    __u32 mode;           // enum gate_mode
    __u32 trusted_device; // of the machine's own root, in the kernel's form; what lies there is Carrel's own
    __u64 age;            // of the policy, told along
};

// What is kept with a file. The hash holds while `seen` is `changes` + 1: `changes` goes up with each opening for writing.
struct gate_file {
    __u64 changes;
    __u64 seen;
    __u64 mapped_ns; // when it was last mapped to be run; 0: never
    __u32 busy;      // somebody writes the hash
    __u32 shared;    // it was mapped shared by somebody who may write to it: such pages can be written to when no writer is left
    __u8 hash[GATE_HASH_BYTES];
};

struct gate_event { // in the ring gate_events
    __u64 age;
    __u32 pid; // as the machine's root sees them
    __u32 why; // enum gate_why
    __u32 has_hash;
    __s32 path_bytes; // with the closing zero; negative: it has no path that can be named
    __u8 hash[GATE_HASH_BYTES];
    char name[GATE_NAME_BYTES];                      // of the program that wanted it
    char ancestors[GATE_ANCESTORS][GATE_NAME_BYTES]; // nearest first; empty: no more
    char path[GATE_PATH_BYTES];                      // as the agent's root shows it
};
