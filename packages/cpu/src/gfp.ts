// SPDX-License-Identifier: MIT

/** gfp_t, include/linux/gfp.h (2.6.27). Values are ours, names and meaning the kernel's. */
export const GFP_WAIT = 0x10;
export const GFP_HIGH = 0x20;
export const GFP_IO = 0x40;
export const GFP_FS = 0x80;
export const GFP_COLD = 0x100;
export const GFP_NOWARN = 0x200;
export const GFP_REPEAT = 0x400;
export const GFP_NOFAIL = 0x800;
export const GFP_NORETRY = 0x1000;
/** Of pages: make the block a compound page. */
export const GFP_COMP = 0x4000;
export const GFP_ZERO = 0x8000;
export const GFP_NOMEMALLOC = 0x10000;
export const GFP_HARDWALL = 0x20000;
/** Of pages: do not wake kswapd for it. */
export const GFP_NO_KSWAPD = 0x80000;
export const GFP_MOVABLE = 0x100000;
export const GFP_HIGHMEM = 0x2;
export const GFP_BITS_SHIFT = 21;
export const GFP_ATOMIC: number = GFP_HIGH;
export const GFP_NOWAIT = 0;
export const GFP_NOIO: number = GFP_WAIT;
export const GFP_NOFS: number = GFP_WAIT | GFP_IO;
export const GFP_KERNEL: number = GFP_WAIT | GFP_IO | GFP_FS;
export const GFP_USER: number = GFP_KERNEL | GFP_HARDWALL;
export const GFP_HIGHUSER: number = GFP_USER | GFP_HIGHMEM;
export const GFP_HIGHUSER_MOVABLE: number = GFP_HIGHUSER | GFP_MOVABLE;
