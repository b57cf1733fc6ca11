.intel_syntax noprefix
.code16
.globl _start
_start:
  cli
  xor ax,ax
  mov ds,ax
  mov es,ax
  mov ss,ax
  mov sp,0x7c00
  # page tables at 0x1000 (PML4), 0x2000 (PDPT), 0x3000 (PD): first 1 GiB by 2 MiB pages
  mov edi,0x1000
  xor eax,eax
  mov ecx,0xc00
  rep stosd
  mov dword ptr [0x1000],0x2003
  mov dword ptr [0x2000],0x3003
  mov edi,0x3000
  mov eax,0x83
  mov ecx,512
1: mov [edi],eax
  add eax,0x200000
  add edi,8
  loop 1b
  mov eax,0x1000
  mov cr3,eax
  mov eax,cr4
  or eax,0x20
  mov cr4,eax
  mov ecx,0xc0000080
  rdmsr
  or eax,0x100
  wrmsr
  lgdt [gdtr]
  mov eax,cr0
  or eax,0x80000001
  mov cr0,eax
  ljmp 0x08,offset long
.code64
long:
  mov ax,0x10
  mov ds,ax
  mov ss,ax
  mov es,ax
  mov rsp,0x7c00
  # IDT at 0x4000, gate 8 = timer (the PIC as the BIOS leaves it)
  mov edi,0x4000
  xor eax,eax
  mov ecx,512
  rep stosd
  mov eax,offset tick
  mov [0x4080],ax
  mov word ptr [0x4082],0x08
  mov word ptr [0x4084],0x8e00
  lidt [idtr]
  mov al,0xfe
  out 0x21,al
  xor ebx,ebx
  sti
2: hlt
  cmp ebx,3
  jb 2b
  cli
  mov al,0x2a
  out 0xf4,al
3: hlt
  jmp 3b
tick:
  inc ebx
  push rax
  mov al,0x20
  out 0x20,al
  pop rax
  iretq
.align 8
gdt: .quad 0
  .quad 0x00209a0000000000
  .quad 0x0000920000000000
gdtr: .word 23
  .long gdt
idtr: .word 0x0fff
  .quad 0x4000
.org 510
  .word 0xaa55
