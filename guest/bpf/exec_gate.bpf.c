// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
#include "guest/bpf/kernel_types.bpf.h"

char LICENSE[] SEC("license") = "GPL"; // bpf_ima_file_hash and LSM programs ask for it

SEC("lsm.s/bprm_check_security")
int BPF_PROG(gateProgram, struct linux_binprm* bprm) {
    return bprm->file == 0 ? -1 : 0;
}
