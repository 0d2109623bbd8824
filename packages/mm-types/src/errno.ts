// SPDX-License-Identifier: GPL-2.0-only

/* include/asm-generic/errno-base.h; kernel functions return them negative. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ETXTBSY = 26;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EOPNOTSUPP = 95;

/** `filemap_fault` and `readpage` convention: truncated under us, look it up again. */
export const AOP_TRUNCATED_PAGE = 0x80001;
/** `writepage` convention: keep the page, activate it. */
export const AOP_WRITEPAGE_ACTIVATE = 0x80000;
