// SPDX-License-Identifier: GPL-2.0-only

/* What lockless-wasm writes into dist. */
export declare const fast: string;
export declare const strict: string;
export declare const fastQuiet: string;
export declare const strictQuiet: string;
