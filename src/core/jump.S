// transfer_t scheduler_core_jump(fcontext_t to, void* data): what Boost's jump_fcontext() does, entered
// without a `call`; jump.h says why. At every instruction here an unwinder finds the caller.

#if defined(__x86_64__) && defined(__LP64__) && defined(__ELF__)

#ifdef __CET__
#include <cet.h>
#else
#define _CET_ENDBR
#endif

    .text
    .globl scheduler_core_jump
    .hidden scheduler_core_jump
    .type scheduler_core_jump, @function
    .p2align 4
scheduler_core_jump:
    .cfi_startproc
    _CET_ENDBR
    subq $8, %rsp  // as the ABI wants the stack to be aligned where a function begins
    .cfi_adjust_cfa_offset 8
    leaq 1f(%rip), %rax
    pushq %rax
    .cfi_adjust_cfa_offset 8
    jmp jump_fcontext@PLT
    .cfi_adjust_cfa_offset -8
1:  // by the hand of another stack, which has popped the address; rax and rdx are the transfer_t
    _CET_ENDBR
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
    .size scheduler_core_jump, . - scheduler_core_jump

#endif

#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
