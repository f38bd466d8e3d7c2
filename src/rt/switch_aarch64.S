/* void switch_stacks(void **save_sp, void *to_sp): AAPCS64. Stores what a callee must preserve (x19-x30, d8-d15) and the
   floating-point control register, changes the stack pointer, loads the same. */

#if defined(__aarch64__)

        .text
        .globl  switch_stacks
        .hidden switch_stacks
        .type   switch_stacks, %function
        .p2align 4
switch_stacks:
        .cfi_startproc
        hint    #34                             /* bti c */
        mrs     x9, fpcr
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        .cfi_offset x29, -96
        .cfi_offset x30, -88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        str     x9, [sp, #160]
        mov     x10, sp
        str     x10, [x0]
        mov     sp, x1                          /* from here on the other stack, with a frame of the same shape */
        ldr     x9, [sp, #160]
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        msr     fpcr, x9
        add     sp, sp, #176
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   switch_stacks, .-switch_stacks

/* Where a new flow begins: x19 is its function, x20 the argument. The end of every backtrace. */
        .globl  switch_start
        .hidden switch_start
        .type   switch_start, %function
        .p2align 4
switch_start:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                             /* bti j: reached by a return, or by a jump */
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   switch_start, .-switch_start

        .section .note.GNU-stack, "", %progbits

#endif
